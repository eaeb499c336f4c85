"""Sweeping costs nothing where there is nothing to sweep."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pytest_zlayer.buildah.agent.journal import Journal
from pytest_zlayer.buildah.agent.sweep import _is_ours
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.opening.sweep import sweep
from pytest_zlayer.buildah.process.command import Runner
from pytest_zlayer.buildah.storage.info import StorageInfo


@pytest.mark.parametrize("journals", [(), ("own.json",), ("own.json", "other.json")])
def test_no_process_is_started_while_all_sessions_live(
    tmp_path: Path, journals: tuple[str, ...]
) -> None:
    storage = StorageInfo(tmp_path, tmp_path, "overlay")
    storage.sessions.mkdir(parents=True)
    commander = Commander(cast("Runner", None), Path("/buildah"), {})
    living = [Journal.create(str(storage.sessions / name), {}) for name in journals]
    assert sweep(commander, storage) == ()
    for journal in living:
        journal.remove()


OURS = {
    "prefix": "zl-s-main-",
    "images": "localhost/zlayer/session/s-main/",
    "tmpdir": "/var/tmp/zlayer-s-main-1",
}


def test_journal_of_ours() -> None:
    assert _is_ours(OURS)


@pytest.mark.parametrize(
    "changes",
    [{"prefix": ""}, {"prefix": "x"}, {"images": ""}, {"tmpdir": ""}, {"tmpdir": "/var/tmp"}],
)
def test_journal_that_would_stand_for_too_much(changes: dict[str, str]) -> None:
    assert not _is_ours({**OURS, **changes})


def test_journal_that_says_nothing() -> None:
    assert not _is_ours({})
