"""Machines that share nothing but cache places: each has a container storage of its own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.cache_place import DirectoryPlace, RegistryPlace
from pytest_zlayer.builder.oci.chain import HistoryEntry
from pytest_zlayer.events import CachePlaceProblem, LayersFetched, LayersSent
from tests.engine.building import Builds, building, write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox, make_storage
from tests.engine.registry.servers import Proxy, Registry, running_registry

STEPS = f"FROM {BUSYBOX}\nRUN echo one > /one\nCOPY data /\nRUN cat /data > /copy\n"
_CONF = (
    'unqualified-search-registries = []\n[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n'
)


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


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@dataclass
class Shared:
    """A registry behind a proxy, and machines that use one repository of it."""

    registry: Registry
    proxy: Proxy
    place: RegistryPlace
    conf: Path
    context: Path
    machine: Machines
    history: tuple[HistoryEntry, ...] = ()

    def session(self, on: Machine | None = None, **changes: Any) -> AbstractContextManager[Builds]:
        one = on or self.machine()
        environment = {
            **one.storage.environment,
            "XDG_CACHE_HOME": str(one.storage.root.parent / "user-cache"),
            "CONTAINERS_REGISTRIES_CONF": str(self.conf),
            **changes.pop("environment", {}),
        }
        return one.session(environment=environment, **changes)

    def without(self, program: str, directory: Path) -> dict[str, str]:
        """What a machine is found by on which a program is not installed."""
        programs = directory / "programs"
        programs.mkdir()
        for name in ("buildah", "runc", "newuidmap", "newgidmap", "unshare", "sh", "skopeo"):
            found = shutil.which(name)
            if found is not None and name != program:
                (programs / name).symlink_to(found)
        return {"PATH": str(programs)}

    def fill(self) -> str:
        """Another machine builds and sends; the id of the image."""
        with self.session(cache_to=self.place) as first:
            image = first.build(STEPS, self.context)
            made, self.history = image.id, image.history
        assert problems(first) == []
        self.proxy.requests.clear()
        self.proxy.down = 0
        return made


@pytest.fixture
def shared(registry: Registry, machine: Machines, tmp_path: Path) -> Iterator[Shared]:
    proxy = Proxy(registry)
    conf = tmp_path / "registries.conf"
    conf.write_text(_CONF)
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    place = RegistryPlace(f"{proxy.address}/test{secrets.token_hex(4)}/zlayer")
    yield Shared(registry, proxy, place, conf, context, machine)
    proxy.close()


def fetched(builds: Builds) -> list[LayersFetched]:
    return [one for one in builds.events if isinstance(one, LayersFetched)]


def sent(builds: Builds) -> list[LayersSent]:
    return [one for one in builds.events if isinstance(one, LayersSent)]


def problems(builds: Builds) -> list[str]:
    return [one.message for one in builds.events if isinstance(one, CachePlaceProblem)]


def of(proxy: Proxy, *methods: str) -> list[str]:
    return [one for one in proxy.requests if one.split()[0] in methods]
