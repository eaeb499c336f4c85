"""Wildcards by the rules of Go's ``filepath.Match``."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.pathmatch import go_match


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("abc", "abc"),
        ("*", "abc"),
        ("*", ""),
        ("*c", "abc"),
        ("a*", "a"),
        ("a*b*c", "axbxxc"),
        ("a*/b", "abc/b"),
        ("**", "ab"),
        ("ab[c]", "abc"),
        ("ab[b-d]", "abc"),
        ("ab[^e-g]", "abc"),
        ("a\\*b", "a*b"),
        ("a?b", "a☺b"),
        ("a[^a]b", "a☺b"),
        ("[\\]a]", "]"),
        ("[\\-]", "-"),
        ("[x\\-]", "x"),
        ("[a-\u03b6]*", "\u03b1"),
        ("*x", "xxx"),
        ("a[^b]c", "a/c"),
        ("a[^b]c", "a[c"),
        ("a[^b]c", "a^c"),
        ("a]", "a]"),
    ],
)
def test_these_match(pattern: str, name: str) -> None:
    assert go_match(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("a*", "ab/c"),
        ("a*/b", "a/c/b"),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff"),
        ("ab[e-g]", "abc"),
        ("a\\*b", "ab"),
        ("a???b", "a☺b"),
        ("[a-\u03b6]*", "A"),
        ("a?b", "a/b"),
        ("abc", "abd"),
        ("", "a"),
        ("*.py", "a/b.py"),
        ("**", "a/b"),
        ("[z-a]", "m"),
    ],
)
def test_these_do_not_match(pattern: str, name: str) -> None:
    assert not go_match(pattern, name)


@pytest.mark.parametrize(
    "pattern",
    ["[]a]", "[-]", "[x-]", "[-x]", "[", "[^", "[^bc", "a[", "[a-b-c]", "a\\", "*[", "[a\\", "[a"],
)
def test_malformed_patterns_are_refused_whatever_the_name(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^syntax error in pattern$"):
        go_match(pattern, "a")
    with pytest.raises(ValueError, match=r"^syntax error in pattern$"):
        go_match(pattern, "")
