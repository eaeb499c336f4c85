"""Patterns for the paths of an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.image.path import ImagePath, fits


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b", "**", True),
        ("a", "**/a", True),
        ("x/y/a", "**/a", True),
        ("x/a/y", "**/a", False),
        ("x/a/y", "**/a/**", True),
        ("x/a", "**/a/**", True),
        ("a/b/c", "a/**/c", True),
        ("a/c", "a/**/c", True),
        ("a/b.py", "*/*.py", True),
        ("a/b/c.py", "*/*.py", False),
        ("a", "", False),
    ],
)
def test_what_matches(path: str, pattern: str, expected: bool) -> None:
    assert fits(path.split("/"), [part for part in pattern.split("/") if part]) is expected


def test_no_pattern_takes_long_however_many_wildcards_it_has() -> None:
    assert not fits(["a"] * 60, [*["**", "a"] * 25, "b"])
    assert not fits(["a"] * 60, [*["**"] * 40, "b"])


@pytest.fixture
def root(tmp_path: Path) -> ImagePath:
    (tmp_path / "usr" / "lib" / "deep").mkdir(parents=True)
    for name in ("usr/one.so", "usr/lib/two.so", "usr/lib/deep/three.so"):
        (tmp_path / name).write_text("")
    (tmp_path / "link").symlink_to("usr")
    return ImagePath(LocalRootfs(tmp_path), "/")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("usr/*", ["/usr/lib", "/usr/one.so"]),
        ("usr/*.so", ["/usr/one.so"]),
        ("**/*.so", ["/usr/lib/deep/three.so", "/usr/lib/two.so", "/usr/one.so"]),
        ("**/**/t*", ["/usr/lib/deep/three.so", "/usr/lib/two.so"]),
        ("usr/**", ["/usr", "/usr/lib", "/usr/lib/deep"]),
        ("link/*.so", ["/link/one.so"]),
        ("none/*", []),
    ],
)
def test_paths_that_match_are_found_once(
    root: ImagePath, pattern: str, expected: list[str]
) -> None:
    assert sorted(map(str, root.glob(pattern))) == expected


def test_no_search_takes_long_however_many_wildcards_it_has(tmp_path: Path) -> None:
    tmp_path.joinpath(*["a"] * 60).mkdir(parents=True)
    assert (
        list(ImagePath(LocalRootfs(tmp_path), "/").glob("/".join([*["**", "a"] * 25, "b"]))) == []
    )
