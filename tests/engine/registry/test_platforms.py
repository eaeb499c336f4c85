"""Base images from manifest lists, and images for another platform than the one asked for."""

from __future__ import annotations

import pytest

from pytest_zlayer.errors import ZlayerError
from tests.engine.building import Builds
from tests.engine.registry.servers import Proxy, Registry

BOTH = ("linux/amd64", "linux/arm64")


@pytest.fixture
def base(registry: Registry, name: str) -> str:
    """A manifest list for two platforms; the variable MARK of its images says for which."""
    registry.put_list(f"hub/library/{name}:1", *BOTH)
    return f"{name}:1"


def message(caught: pytest.ExceptionInfo[ZlayerError]) -> str:
    return caught.value.message.splitlines()[0]


@pytest.mark.parametrize("platform", BOTH)
def test_the_image_for_the_platform_is_taken_from_the_list(
    builds: Builds, base: str, platform: str
) -> None:
    image = builds.build(f"FROM {base}\n", platform=platform)
    assert image.config.env["MARK"] == platform
    assert f"{image.config.os}/{image.config.architecture}" == platform


def test_a_from_may_ask_for_another_platform(builds: Builds, base: str) -> None:
    text = f"FROM --platform=linux/arm64 {base} AS other\nFROM {base}\nCOPY --from=other /mark /\n"
    image = builds.build(text, platform="linux/amd64")
    assert image.config.env["MARK"] == "linux/amd64"
    assert image.path("/mark").read_text() == "linux/arm64 linux/arm64\n"


def test_the_machine_s_own_image_is_taken_again_after_a_foreign_one(
    builds: Builds, base: str
) -> None:
    builds.build(f"FROM {base}\n", platform="linux/arm64")
    native = builds.build(f"FROM {base}\nENV AGAIN=1\n")
    assert native.config.env["MARK"] == "linux/amd64"


def test_a_list_by_digest_gives_the_image_for_the_platform(
    builds: Builds, base: str, registry: Registry
) -> None:
    digest = registry.digest(f"hub/library/{base}")
    image = builds.build(f"FROM {base}@{digest}\n", platform="linux/arm64")
    assert image.config.env["MARK"] == "linux/arm64"


def test_a_platform_that_a_list_does_not_have(builds: Builds, base: str) -> None:
    with pytest.raises(ZlayerError) as caught:
        builds.build(f"FROM --platform=linux/s390x {base}\n")
    assert message(caught) == (
        f"<inline Dockerfile>:1:29: cannot pull docker.io/library/{base}: "
        "there is no image for this platform: "
        'no image found in image index for architecture s390x, variant "", OS linux'
    )


def test_a_single_image_for_another_platform(builds: Builds, registry: Registry, name: str) -> None:
    registry.put_image(f"hub/library/{name}:1", platform="linux/amd64")
    with pytest.raises(ZlayerError) as caught:
        builds.build(f"FROM {name}:1\n", platform="linux/arm64")
    assert message(caught) == (
        f"<inline Dockerfile>:1:6: base image docker.io/library/{name}:1 is for linux/amd64, "
        "not linux/arm64"
    )


def test_a_foreign_image_in_the_store_is_used_when_nobody_asked_for_a_platform(
    builds: Builds, registry: Registry, name: str
) -> None:
    registry.put_image(f"hub/library/{name}:1", mark="foreign", platform="linux/arm64")
    builds.build(f"FROM {name}:1\n", platform="linux/arm64")
    assert builds.build(f"FROM {name}:1\nENV A=1\n").config.env["MARK"] == "foreign"


def test_never_says_what_platform_the_image_in_the_store_is_for(
    builds: Builds, base: str, hub: Proxy
) -> None:
    builds.build(f"FROM {base}\n", platform="linux/amd64")
    hub.requests.clear()
    with pytest.raises(ZlayerError) as caught:
        builds.build(f"FROM {base}\n", platform="linux/arm64", pull="never")
    assert message(caught) == (
        f"<inline Dockerfile>:1:6: base image {base} is for linux/amd64, not linux/arm64"
    )
    assert hub.requests == []


def test_several_platforms_are_built_each_from_its_own_base(builds: Builds, base: str) -> None:
    image = builds.build(
        f"FROM {base}\nCOPY <<EOT /x\nx\nEOT\n", platform="linux/amd64,linux/arm64"
    )
    marks = {name: one.config.env["MARK"] for name, one in image.platforms.items()}
    assert marks == {"linux/amd64": "linux/amd64", "linux/arm64": "linux/arm64"}


@pytest.mark.parametrize("platform", BOTH)
def test_a_manifest_list_built_here_is_a_base_for_each_of_its_platforms(
    builds: Builds, name: str, platform: str
) -> None:
    text = "FROM scratch\nARG TARGETARCH\nENV MARK=linux/$TARGETARCH\nCOPY <<x /x\nx\n"
    builds.build(text, platform="linux/amd64,linux/arm64", tags=(f"localhost/{name}:1",))
    image = builds.build(f"FROM {name}:1\nENV B=1\n", platform=platform)
    assert image.config.env["MARK"] == platform
