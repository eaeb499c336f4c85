"""Machines that share layers through a real registry, and what they do when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.cache_place import RegistryPlace
from pytest_zlayer.builder.oci.chain import HistoryEntry
from tests.engine.building import Builds, write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.registry.servers import Proxy, Registry, running_registry
from tests.engine.remote.conftest import Machine, Machines, fetched, problems, sent

STEPS = f"FROM {BUSYBOX}\nRUN echo one > /one\nCOPY data /\nRUN cat /data > /copy\n"
_CONF = (
    'unqualified-search-registries = []\n[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n'
)


@pytest.fixture(scope="module")
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

    def fill(self) -> str:
        """Another machine builds and sends; the id of the image."""
        with self.session(cache_to=self.place) as first:
            image = first.build(STEPS, self.context)
            made, self.history = image.id, image.history
        assert problems(first) == []
        self.proxy.requests.clear()
        return made


@pytest.fixture
def shared(registry: Registry, machine: Machines, tmp_path: Path) -> Iterator[Shared]:
    proxy = Proxy(registry)
    conf = tmp_path / "registries.conf"
    conf.write_text(_CONF)
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    place = RegistryPlace(f"{proxy.address}/{tmp_path.name[:20].strip('_')}/zlayer")
    yield Shared(registry, proxy, place, conf, context, machine)
    proxy.close()


def of(proxy: Proxy, *methods: str) -> list[str]:
    return [one for one in proxy.requests if one.split()[0] in methods]


def test_another_machine_runs_no_step_and_gets_the_same_image(shared: Shared) -> None:
    image = shared.fill()
    with shared.session(cache_from=(shared.place,)) as second:
        again = second.build(STEPS, shared.context)
        assert problems(second) == []
        assert again.history == shared.history
        assert again.id == image
        assert second.executed() == []
    assert [one.layers for one in fetched(second)] == [3]
    assert of(shared.proxy, "POST", "PUT", "PATCH", "DELETE") == []


def test_looking_up_takes_one_list_whatever_is_missing(shared: Shared) -> None:
    with shared.session(cache_from=(shared.place,)) as first:
        first.build(f"FROM {BUSYBOX}\nCOPY data /\nCOPY data /b\n", shared.context)
    listed = [one for one in shared.proxy.requests if "/tags/list" in one]
    assert len(listed) == 1
    assert len(shared.proxy.requests) <= 3
    assert problems(first) == []  # a repository that is not there yet is empty


def test_a_second_run_sends_nothing(shared: Shared) -> None:
    one = shared.machine()
    with shared.session(one, cache_to=shared.place) as first:
        first.build(STEPS, shared.context)
    shared.proxy.requests.clear()
    with shared.session(one, cache_to=shared.place) as again:
        again.build(STEPS, shared.context)
    assert of(shared.proxy, "POST", "PUT", "PATCH") == []
    assert sent(again) == []


def test_entries_are_plain_oci_images_without_the_base(shared: Shared) -> None:
    shared.fill()
    repository = shared.place.repository.partition("/")[2]
    answer, body = shared.registry._ask("GET", f"/v2/{repository}/tags/list")
    tags = json.loads(body)["tags"]
    assert answer.status == 200
    assert all(len(tag) == 64 for tag in tags)
    manifests = {shared.registry.get(repository, tag) for tag in tags}
    for manifest in manifests:
        found = json.loads(manifest or b"{}")
        assert found["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
        assert len(found["layers"]) <= 3


def test_only_what_changed_is_run_and_sent(shared: Shared) -> None:
    shared.fill()
    write_files(shared.context, {"data": "changed\n"})
    with shared.session(cache_from=(shared.place,), cache_to=shared.place) as second:
        second.build(STEPS, shared.context)
        assert second.executed() == ["COPY data /", "RUN cat /data > /copy"]
    assert problems(second) == []
    with shared.session(cache_from=(shared.place,)) as third:
        third.build(STEPS, shared.context)
        assert problems(third) == []
        assert third.executed() == []


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "refuses": lambda proxy: setattr(proxy, "always", 403),
    "login": lambda proxy: setattr(proxy, "always", 401),
    "internal error": lambda proxy: setattr(proxy, "always", 500),
    "html": lambda proxy: setattr(proxy, "always", "html"),
    "drops": lambda proxy: setattr(proxy, "always", "drop"),
    "cuts": lambda proxy: setattr(proxy, "always", "cut"),
    "busy": lambda proxy: setattr(proxy, "always", 429),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_place_that_fails_fails_no_build(shared: Shared, fault: str) -> None:
    image = shared.fill()
    FAULTS[fault](shared.proxy)
    with shared.session(cache_from=(shared.place,)) as second:
        made = second.build(STEPS, shared.context)
        assert made.path("/copy").read_text() == "hello\n"
        assert len(second.executed()) == 3
    assert len(problems(second)) == 1
    assert image != made.id


def test_a_place_that_is_not_there_is_reported_once(shared: Shared) -> None:
    nowhere = RegistryPlace("127.0.0.1:1/zlayer")
    with shared.session(cache_from=(nowhere,), cache_to=nowhere) as builds:
        builds.build(STEPS, shared.context)
        builds.build(STEPS + "LABEL a=b\n", shared.context)
        assert len(builds.executed()) == 3
    assert len(problems(builds)) <= 2
    assert "connection refused" in problems(builds)[0]


def test_a_place_that_may_only_be_read_gets_a_note(shared: Shared) -> None:
    shared.fill()
    write_files(shared.context, {"data": "changed\n"})
    shared.proxy.only, shared.proxy.always = "POST", 403
    with shared.session(cache_from=(shared.place,), cache_to=shared.place) as second:
        second.build(STEPS, shared.context)
        assert second.executed() == ["COPY data /", "RUN cat /data > /copy"]
    assert [one.partition(":")[0] for one in problems(second)] == ["it is read-only"]


def test_without_skopeo_builds_go_on(shared: Shared, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("buildah", "runc", "newuidmap", "newgidmap", "unshare", "sh"):
        for directory in ("/usr/bin", "/usr/sbin", "/bin"):
            if (Path(directory) / name).exists() and not (programs / name).exists():
                (programs / name).symlink_to(Path(directory) / name)
    with shared.session(
        cache_from=(shared.place,), cache_to=shared.place, environment={"PATH": str(programs)}
    ) as builds:
        builds.build(STEPS, shared.context)
    assert [one.partition(",")[0] for one in problems(builds)] == ["skopeo is not installed"]
