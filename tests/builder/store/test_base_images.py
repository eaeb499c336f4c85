"""Names of base images: what they may stand for."""

from __future__ import annotations

import pytest

from pytest_zlayer.builder.store.base_images import candidates, image_platform
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.values.references import parse_reference

DIGEST = f"sha256:{'a' * 64}"
NAMES = [
    ("alpine", None, ["docker.io/library/alpine:latest"]),
    ("alpine:3", "corp.example", ["corp.example/alpine:3", "docker.io/library/alpine:3"]),
    ("team/app", "corp.example", ["corp.example/team/app:latest", "docker.io/team/app:latest"]),
    ("library/alpine", "corp.example/hub/", [
        "corp.example/hub/alpine:latest", "docker.io/library/alpine:latest",
    ]),
    ("ghcr.io/team/app:1", "corp.example", ["ghcr.io/team/app:1"]),
    ("docker.io/alpine", "corp.example", ["docker.io/library/alpine:latest"]),
    (f"alpine:3@{DIGEST}", "corp.example", [
        f"corp.example/alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "registry", "expected"), NAMES, ids=[one[0] for one in NAMES])
def test_candidates(name: str, registry: str | None, expected: list[str]) -> None:
    assert list(candidates(parse_reference(name), registry)) == expected


def test_platform_of_an_image() -> None:
    assert image_platform(ImageConfig(architecture="arm", os="linux", variant="v7")) == (
        "linux/arm/v7"
    )


def test_an_image_without_a_system_is_for_linux() -> None:
    assert image_platform(ImageConfig(architecture="arm64")) == "linux/arm64"
