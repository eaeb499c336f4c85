"""Which image a FROM stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.builder.session.hooks import BuildHooks
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.events import Pulling
from tests.engine.building import Builds
from tests.engine.registry.conftest import Sessions
from tests.engine.registry.servers import Proxy, Registry


def mark_of(builds: Builds, base: str, **declared: object) -> str:
    """The variable MARK of what an image made of nothing but this base has."""
    return builds.build(f"FROM {base}\n", **declared).config.env["MARK"]


def pulled(builds: Builds) -> list[str]:
    return [event.reference for event in builds.events if isinstance(event, Pulling)]


def test_a_name_alone_is_an_official_image_of_docker_io(
    builds: Builds, registry: Registry, name: str
) -> None:
    registry.put_image(f"hub/library/{name}:latest", mark="official")
    assert mark_of(builds, name) == "official"
    assert pulled(builds) == [f"docker.io/library/{name}:latest"]


def test_a_qualified_name_is_taken_as_it_is(
    session: Sessions, registry: Registry, name: str, corp: Proxy
) -> None:
    registry.put_image(f"{name}:2", mark="qualified")
    with session(registry="corp.example") as builds:
        assert mark_of(builds, f"{registry.address}/{name}:2") == "qualified"
    assert corp.requests == []


def test_the_default_registry_comes_first(
    session: Sessions, registry: Registry, name: str, hub: Proxy
) -> None:
    registry.put_image(f"corp/{name}:1", mark="corp")
    registry.put_image(f"hub/library/{name}:1", mark="hub")
    with session(registry="corp.example") as builds:
        assert mark_of(builds, f"{name}:1") == "corp"
        assert pulled(builds) == [f"corp.example/{name}:1"]
    assert hub.requests == []


def test_what_the_default_registry_does_not_have_comes_from_docker_io(
    session: Sessions, registry: Registry, name: str
) -> None:
    registry.put_image(f"hub/library/{name}:1", mark="hub")
    with session(registry="corp.example") as builds:
        assert mark_of(builds, f"{name}:1") == "hub"
        assert pulled(builds) == [f"corp.example/{name}:1", f"docker.io/library/{name}:1"]
        assert builds.session.retries == ()


def test_a_name_with_a_folder_keeps_it_in_the_default_registry(
    session: Sessions, registry: Registry, name: str
) -> None:
    registry.put_image(f"corp/team/{name}:1", mark="team")
    with session(registry="corp.example") as builds:
        assert mark_of(builds, f"team/{name}:1") == "team"


@pytest.mark.parametrize("fault", [500, 503, "drop"])
def test_a_default_registry_that_is_ill_is_an_error(
    session: Sessions, name: str, corp: Proxy, hub: Proxy, fault: int | str
) -> None:
    corp.always = fault
    with session(registry="corp.example") as builds, pytest.raises(ZlayerError) as caught:
        mark_of(builds, f"{name}:1")
    assert f"cannot pull corp.example/{name}:1: the " in caught.value.message
    assert hub.requests == []


def test_an_image_that_is_nowhere_names_where_it_was_looked_for(
    session: Sessions, name: str
) -> None:
    with session(registry="corp.example") as builds, pytest.raises(ZlayerError) as caught:
        mark_of(builds, f"{name}:1")
    first, *_, hint = caught.value.message.splitlines()
    assert first == (
        "<inline Dockerfile>:1:6: "
        f"no such base image: corp.example/{name}:1 or docker.io/library/{name}:1"
    )
    assert hint == "hint: check its name and tag, or log in if the repository is private"


def test_an_image_that_is_nowhere_may_be_a_stage_with_a_typo(builds: Builds) -> None:
    text = "FROM scratch AS builder\nCOPY <<x /x\nx\nFROM biulder\n"
    with pytest.raises(ZlayerError) as caught:
        builds.build(text)
    assert caught.value.message == (
        "<inline Dockerfile>:4:6: no such base image: docker.io/library/biulder:latest\n"
        "    4 | FROM biulder\n"
        "      |      ^~~~~~~\n"
        "hint: did you mean builder?"
    )


@pytest.mark.parametrize("fault", [401, 403, "drop"])
def test_a_registry_that_gives_no_answer_may_be_a_typo_too(
    builds: Builds, hub: Proxy, fault: int | str
) -> None:
    hub.always = fault
    with pytest.raises(ZlayerError) as caught:
        builds.build("FROM scratch AS builder\nENV A=1\nFROM biulder\nENV B=1\n")
    assert caught.value.message.splitlines()[-1] == "hint: did you mean builder?"


def test_a_digest_is_kept(builds: Builds, registry: Registry, name: str) -> None:
    # An image nobody else has pulled: a digest in the store is found under any name.
    old = registry.put_image(f"hub/library/{name}:1", mark=name)
    registry.put_image(f"hub/library/{name}:1", mark="new")
    assert mark_of(builds, f"{name}@{old}") == name
    assert mark_of(builds, f"{name}:1@{old}") == name
    assert pulled(builds) == [f"docker.io/library/{name}@{old}"]


def test_an_image_of_the_store_is_used_as_it_is(
    builds: Builds, registry: Registry, name: str, hub: Proxy
) -> None:
    registry.put_image(f"hub/library/{name}:1", mark="old")
    mark_of(builds, f"{name}:1")
    registry.put_image(f"hub/library/{name}:1", mark="new")
    hub.requests.clear()
    assert mark_of(builds, f"docker.io/library/{name}:1") == "old"
    assert hub.requests == []


def test_an_image_built_here_is_found_by_its_short_name(
    builds: Builds, name: str, hub: Proxy
) -> None:
    builds.build("FROM scratch\nENV MARK=here\n", tags=(f"localhost/{name}:latest",))
    assert mark_of(builds, name) == "here"
    assert hub.requests == []


def test_a_local_name_is_never_asked_for(builds: Builds, name: str) -> None:
    with pytest.raises(ZlayerError) as caught:
        mark_of(builds, f"localhost/{name}:1", pull="always")
    first, *_, hint = caught.value.message.splitlines()
    assert first == (f"<inline Dockerfile>:1:6: base image localhost/{name}:1 is not in the store")
    assert hint == "hint: names under localhost/ are never pulled: build or import it first"


def test_the_hook_has_the_first_word(session: Sessions, registry: Registry, name: str) -> None:
    registry.put_image(f"hub/library/{name}:1", mark="hooked")
    hooks = BuildHooks(resolve_base=lambda base: f"{name}:1" if base == "theirs:9" else None)
    with session(hooks=hooks) as builds:
        assert mark_of(builds, "theirs:9") == "hooked"


def test_a_named_context_replaces_a_base_by_an_image(
    builds: Builds, registry: Registry, name: str
) -> None:
    registry.put_image(f"hub/library/{name}:1", mark="instead")
    contexts = {"alpine": f"docker-image://{name}:1"}
    assert mark_of(builds, "alpine", build_contexts=contexts) == "instead"


def test_a_named_context_replaces_a_base_by_a_layout(
    builds: Builds, name: str, tmp_path: Path
) -> None:
    saved = builds.build("FROM scratch\nENV MARK=saved\n").save(tmp_path / "layout", "oci")
    contexts = {"alpine": f"oci-layout://{saved}"}
    assert mark_of(builds, "alpine", build_contexts=contexts) == "saved"
