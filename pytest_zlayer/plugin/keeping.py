"""``--zlayer-keep``: what a test has used stays if it fails, named after the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.plugin.failures import cause_of
from pytest_zlayer.plugin.record import images_of, users_of

if TYPE_CHECKING:
    from pytest_zlayer.plugin.state import State

_BEGUN = pytest.StashKey[int]()


def begin(state: State, item: pytest.Item) -> None:
    """A test begins: what begins from now on is its own."""
    keeping = state.keeping
    item.stash[_BEGUN] = keeping.count if keeping else 0


def decide(
    state: State, item: pytest.Item, call: pytest.CallInfo[object], report: pytest.TestReport
) -> None:
    """After each phase of a test: keep what it has used if it failed, but nothing if it is over."""
    keeping = state.keeping
    if keeping is None:
        return
    try:
        if report.failed:
            cause = cause_of(call.excinfo.value) if call.excinfo else None
            users = [*users_of(item), *keeping.begun_since(item.stash.get(_BEGUN, 0))]
            keeping.failed(item.name, cause, images_of(item), users)
        if report.when == "teardown":
            keeping.over()
    except ZlayerError as error:
        state.reporter.problems.append(str(error))
