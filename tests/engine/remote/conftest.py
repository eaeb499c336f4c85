"""Machines that share nothing but cache places: each has a container storage of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.cache_place import DirectoryPlace
from pytest_zlayer.events import CachePlaceProblem, LayersFetched, LayersSent
from tests.engine.building import Builds, building
from tests.engine.conftest import Storage, add_busybox, make_storage


@dataclass
class Machine:
    """One machine."""

    storage: Storage

    def session(self, **changes: Any) -> AbstractContextManager[Builds]:
        """A session there."""
        return building(self.storage, **changes)


Machines = Callable[[], Machine]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machines]:
    """Makes machines with the same busybox image."""
    made: list[Storage] = []

    def one() -> Machine:
        storage = make_storage(tmp_path / f"machine-{len(made)}")
        made.append(storage)
        layout = tmp_path / f"busybox-{len(made)}"
        layout.mkdir()
        add_busybox(storage, layout)
        return Machine(storage)

    yield one
    for storage in made:
        storage.remove()


@pytest.fixture
def place(tmp_path: Path) -> DirectoryPlace:
    """A directory as a cache place."""
    return DirectoryPlace(tmp_path / "place")


def fetched(builds: Builds) -> list[LayersFetched]:
    return [one for one in builds.events if isinstance(one, LayersFetched)]


def sent(builds: Builds) -> list[LayersSent]:
    return [one for one in builds.events if isinstance(one, LayersSent)]


def problems(builds: Builds) -> list[str]:
    return [one.message for one in builds.events if isinstance(one, CachePlaceProblem)]
