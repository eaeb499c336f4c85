"""Cache places as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.builder.model.cache_place import DirectoryPlace, RegistryPlace, parse_place

HERE = Path("/project")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("dir:.zlayer", "/project/.zlayer"),
        ("dir:/srv/cache", "/srv/cache"),
        ("dir:a:b", "/project/a:b"),
    ],
)
def test_a_directory_is_found_from_the_project(text: str, path: str) -> None:
    assert parse_place(text, HERE) == DirectoryPlace(Path(path))


@pytest.mark.parametrize(
    "name",
    [
        "ghcr.io/owner/name/zlayer",
        "127.0.0.1:5000/cache",
        "[::1]:5000/cache",
        "localhost:5000/cache",
        "registry.example.com/a__b/c-d",
    ],
)
def test_a_repository_of_a_registry_is_a_place(name: str) -> None:
    assert parse_place(name, HERE) == RegistryPlace(name)
    assert parse_place(f"docker://{name}", HERE) == RegistryPlace(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dir:", "needs a path"),
        ("ghcr.io/owner/name:tag", "has no tag"),
        ("127.0.0.1:5000/cache:tag", "has no tag"),
        (f"ghcr.io/owner/name@sha256:{'0' * 64}", "has no digest"),
        ("localhost/zlayer/cache", "names images of this machine"),
        ("owner/name", "neither dir:PATH nor REGISTRY/REPOSITORY"),
        ("ghcr.io", "neither"),
        ("ghcr.io/Owner/name", "neither"),
        ("", "neither"),
        ("https://ghcr.io/owner/name", "neither"),
        ("-x/y.z", "neither"),
    ],
)
def test_what_is_no_place_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_place(text, HERE)
