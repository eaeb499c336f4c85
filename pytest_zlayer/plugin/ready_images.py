"""``--zlayer-image NAME=REF`` for a name that no test declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.fixtures import calls_for_images, image_fixtures_of
from pytest_zlayer.plugin.markers import declared_images
from pytest_zlayer.plugin.state import State


def refuse_unknown_names(state: State, items: Sequence[pytest.Item]) -> None:
    """Refuse names given on the command line that none of the collected tests declares.

    An ini file and the environment may name images of tests that are not in this run, and what a
    test builds with ``zlayer_build`` is not known before it runs.

    Raises:
        pytest.UsageError: there is such a name.
    """
    given = state.settings["image"]
    if not given or "command line" not in state.settings.origin("image"):
        return
    if not items or any(calls_for_images(item) for item in items):
        return
    known = {name for item in items for name in _names(item)}
    for name in given:
        if name not in known:
            raise pytest.UsageError(_message(name, known))


def _names(item: pytest.Item) -> Iterator[str]:
    yield from (one.name for one in declared_images(item))
    for make in image_fixtures_of(item):
        try:
            spec = make()
        except ZlayerError:
            continue  # reported with all other mistakes
        if spec.name:
            yield spec.name


def _message(name: str, known: set[str]) -> str:
    with LOADING:
        from pytest_zlayer.dockerfile.values.suggest import suggest

    names = sorted(known)
    near = suggest(name, names)
    hint = f"did you mean {near}?" if near else f"there are: {', '.join(names) or 'none'}"
    return f"--zlayer-image: no test declares an image named {name!r}\nhint: {hint}"
