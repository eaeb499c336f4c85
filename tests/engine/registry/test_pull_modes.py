"""When a registry is asked for a base image, and how often: requests are counted."""

from __future__ import annotations

import pytest

from pytest_zlayer.errors import ZlayerError
from tests.engine.building import Builds
from tests.engine.registry.conftest import Sessions
from tests.engine.registry.servers import Proxy, Registry


@pytest.fixture
def moved(builds: Builds, registry: Registry, name: str, hub: Proxy) -> str:
    """A base image whose tag has moved in the registry since it was pulled; nothing counted yet."""
    registry.put_image(f"hub/library/{name}:1", mark="old")
    builds.build(f"FROM {name}:1\n")
    registry.put_image(f"hub/library/{name}:1", mark="new")
    hub.requests.clear()
    return f"{name}:1"


def mark_of(builds: Builds, base: str, mode: str) -> str:
    return builds.build(f"FROM {base}\n", pull=mode).config.env["MARK"]


def test_missing_pulls_what_is_not_there(builds: Builds, registry: Registry, name: str) -> None:
    registry.put_image(f"hub/library/{name}:1", mark="there")
    assert mark_of(builds, f"{name}:1", "missing") == "there"


def test_missing_asks_nobody_when_it_is_there(builds: Builds, moved: str, hub: Proxy) -> None:
    assert mark_of(builds, moved, "missing") == "old"
    assert hub.requests == []


def test_newer_sees_that_the_tag_has_moved(builds: Builds, moved: str) -> None:
    assert mark_of(builds, moved, "newer") == "new"


def test_newer_downloads_no_layer_that_is_there(
    builds: Builds, registry: Registry, name: str, hub: Proxy
) -> None:
    registry.put_image(f"hub/library/{name}:1")
    mark_of(builds, f"{name}:1", "missing")
    hub.requests.clear()
    mark_of(builds, f"{name}:1", "newer")
    assert hub.manifests() == [f"GET /v2/hub/library/{name}/manifests/1"]


def test_newer_is_content_when_nobody_answers(builds: Builds, moved: str, hub: Proxy) -> None:
    hub.always = 503
    assert mark_of(builds, moved, "newer") == "old"


def test_always_asks(builds: Builds, moved: str, hub: Proxy) -> None:
    assert mark_of(builds, moved, "always") == "new"
    assert hub.manifests() == [f"GET /v2/hub/library/{moved.replace(':', '/manifests/')}"]


def test_always_needs_an_answer(builds: Builds, moved: str, hub: Proxy) -> None:
    hub.always = 403
    with pytest.raises(ZlayerError, match="the registry denies access to this image"):
        mark_of(builds, moved, "always")


def test_never_uses_what_is_there(builds: Builds, moved: str, hub: Proxy) -> None:
    assert mark_of(builds, moved, "never") == "old"
    assert hub.requests == []


def test_never_does_not_touch_the_network(
    session: Sessions, registry: Registry, name: str, hub: Proxy, corp: Proxy
) -> None:
    registry.put_image(f"hub/library/{name}:1")
    with (
        session(registry="corp.example", pull="never") as builds,
        pytest.raises(ZlayerError) as caught,
    ):
        builds.build(f"FROM {name}:1\n")
    first, *_, hint = caught.value.message.splitlines()
    assert first == (
        f"<inline Dockerfile>:1:6: base image {name}:1 is not in the store and pull is never"
    )
    assert hint == f"hint: pull it first (corp.example/{name}:1), or allow pulling"
    assert hub.requests + corp.requests == []


def test_a_base_image_is_asked_for_once_a_build(
    builds: Builds, registry: Registry, name: str, hub: Proxy
) -> None:
    registry.put_image(f"hub/library/{name}:1")
    text = f"FROM {name}:1 AS one\nFROM {name}:1 AS two\nFROM {name}:1\n"
    builds.build(f"{text}COPY --from=one /mark /1\nCOPY --from=two /mark /2\n", pull="always")
    assert len(hub.manifests()) == 1


def test_a_digest_in_the_store_is_not_asked_for(
    builds: Builds, registry: Registry, name: str, hub: Proxy
) -> None:
    digest = registry.put_image(f"hub/library/{name}:1")
    mark_of(builds, f"{name}@{digest}", "missing")
    hub.requests.clear()
    assert mark_of(builds, f"{name}:1@{digest}", "missing") == "1"
    assert hub.requests == []
