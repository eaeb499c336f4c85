"""Wildcards matched without backtracking find what regular expressions find."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pytest_zlayer.dockerfile.values.globs import (
    Folders,
    GlobPart,
    One,
    Run,
    ends,
    matches,
    not_newline,
    not_slash,
)

_REGEXES: dict[GlobPart, str] = {
    One(not_slash): "[^/]",
    Run(not_slash): "[^/]*",
    Run(not_newline): ".*",
    Folders(): "(?:.*/)?",
    "a": "a",
    "b/": "b/",
    "/": "/",
}
PARTS = st.lists(st.sampled_from(list(_REGEXES)), max_size=6)
TEXTS = st.text("ab/\n", max_size=12)


@given(PARTS, TEXTS)
def test_the_same_texts_match(parts: list[GlobPart], text: str) -> None:
    regex = "".join(_REGEXES[one] for one in parts)
    assert matches(parts, text) == (re.fullmatch(regex, text) is not None)


@given(PARTS, TEXTS)
def test_matches_end_where_those_of_the_expression_can_end(
    parts: list[GlobPart], text: str
) -> None:
    regex = re.compile("".join(_REGEXES[one] for one in parts))
    wanted = [int(regex.fullmatch(text, 0, end) is not None) for end in range(len(text) + 1)]
    assert list(ends(parts, text, [0])) == wanted


def test_many_wildcards_cost_no_more_than_the_text_is_long() -> None:
    parts = [Run(not_slash), "a"] * 30
    assert not matches([*parts, "b"], "a" * 2000)
    assert matches(parts, "a" * 2000)
