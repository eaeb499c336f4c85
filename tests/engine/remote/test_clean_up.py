"""``ps --remote`` and ``prune --remote`` with a registry."""

from __future__ import annotations

import json
import time

import pytest

from tests.engine.project import Project
from tests.engine.remote.conftest import STEPS, Shared, of

OTHER = STEPS.replace("one", "two")


@pytest.fixture
def project(shared: Shared) -> Project:
    """A machine for the command line."""
    conf = str(shared.conf)
    folder = shared.context
    return Project(folder, shared.machine().storage, CONTAINERS_REGISTRIES_CONF=conf)


def fill(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], set[str]]:
    """Fill the place with an entry of 20 days ago and one of today; the tags of each."""
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("pytest_zlayer.builder.remote.sender.time.time", lambda: now - 20 * 86400)
        shared.fill()
    before = tags(shared)
    with shared.session(cache_to=shared.place) as second:
        second.build(OTHER, shared.context)
    shared.proxy.requests.clear()
    after = tags(shared)
    old = {tag for tag, digest in before.items() if after[tag] == digest}
    return old, after.keys() - old


def tags(shared: Shared) -> dict[str, str | None]:
    """The tags of the place, and the digest of the manifest that each means."""
    name = shared.place.repository.partition("/")[2]
    return {tag: shared.registry.digest(f"{name}:{tag}") for tag in shared.registry.tags(name)}


def zlayer(project: Project, shared: Shared, verb: str, *options: str, code: int = 0) -> str:
    return project.run(
        "pytest_zlayer", verb, "--remote", shared.place.repository, *options, code=code
    )


def test_old_entries_of_a_registry_are_removed_and_the_rest_is_used(
    shared: Shared, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = fill(shared, monkeypatch)
    assert len(old) > 1
    listed = json.loads(zlayer(project, shared, "ps", "--json"))
    assert {one["name"] for one in listed} == old | young
    removed = json.loads(zlayer(project, shared, "prune", "--max-age", "10d", "--json"))
    assert {one["name"] for one in removed} == old
    assert tags(shared).keys() == young
    with shared.session(cache_from=(shared.place,)) as reader:
        reader.build(OTHER, shared.context)
        assert reader.executed() == []
        reader.build(STEPS, shared.context)
        assert len(reader.executed()) == 3


def test_young_entries_stay(
    shared: Shared, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = fill(shared, monkeypatch)
    said = zlayer(project, shared, "prune", "--max-age", "30d")
    assert said == "there was nothing to remove\n"
    assert tags(shared).keys() == old | young
    assert of(shared.proxy, "DELETE") == []


def test_a_registry_that_removes_nothing_is_reported(
    shared: Shared, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = fill(shared, monkeypatch)
    shared.proxy.only, shared.proxy.always = "DELETE", 405
    said = zlayer(project, shared, "prune", "--max-age", "10d", code=2)
    assert said.startswith(f"pytest-zlayer: cache place {shared.place}: ")
    assert "405 Method Not Allowed" in said
    assert len(said.splitlines()) == 1
    assert tags(shared).keys() == old | young
