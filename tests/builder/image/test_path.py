"""Patterns for the paths of an image."""

from __future__ import annotations

import pytest

from pytest_zlayer.builder.image.path import fits


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
