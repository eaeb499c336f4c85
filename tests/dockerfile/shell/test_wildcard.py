"""Shell wildcards of substitutions, apart from the words they stand in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_zlayer.dockerfile import expand
from pytest_zlayer.dockerfile.shell.wildcard import (
    _read,
    replace_every,
    replace_first,
    trim_prefix,
    trim_suffix,
)


def test_the_shortest_or_the_longest_match_goes() -> None:
    assert trim_prefix("aXbXc", "*X", longest=False) == "bXc"
    assert trim_prefix("aXbXc", "*X", longest=True) == "c"
    assert trim_suffix("aXbXc", "X*", longest=False) == "aXb"
    assert trim_suffix("aXbXc", "X*", longest=True) == "a"


def test_escapes_stay_in_front_of_what_they_protect_when_looking_from_the_right() -> None:
    assert trim_suffix("ab*c", "\\*c", longest=False) == "ab"
    assert trim_suffix("ab}c", "\\}c", longest=False) == "ab"


def test_brackets_are_plain_characters() -> None:
    assert trim_prefix("[a]b", "[a]", longest=True) == "b"
    assert trim_prefix("ab", "[a]", longest=True) == "ab"


def test_the_first_match_is_the_leftmost_and_longest() -> None:
    assert replace_first("xabab", "a*b", "-") == "x-"


def test_an_empty_match_right_after_another_match_does_not_count() -> None:
    assert replace_every("ab", "*", "x") == "x"
    assert replace_every("a\nb", "*", "x") == "x\nx"
    assert replace_every("", "*", "x") == "x"


@pytest.mark.parametrize(
    ("text", "result"),
    [("$0$0", "aab"), ("${0}", "ab"), ("$1", "b"), ("$x-", "-b"), ("$$", "$b"), ("$", "$b")],
)
def test_a_replacement_of_every_match_is_a_template(text: str, result: str) -> None:
    assert replace_every("ab", "a", text) == result


def test_an_escape_of_an_ordinary_character_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^invalid pattern") as raised:
        replace_first("x", "\\x", "")
    assert str(raised.value) == "invalid pattern (\\x) in substitution: invalid escape '\\x'"


@pytest.mark.parametrize("operator", ["#", "##", "%", "%%", "/", "//"])
def test_no_pattern_takes_long_however_many_stars_it_has(operator: str) -> None:
    pattern = "*a" * 30 + "b"
    word = "${x" + operator + pattern + ("/y" if "/" in operator else "") + "}"
    assert expand(word, {"x": "a" * 200}) == "a" * 200


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10), st.sampled_from([True, False]))
def test_patterns_of_many_stars_match_as_others_do(pattern: str, value: str, longest: bool) -> None:
    quick = _read(pattern)
    if quick.regexes is None:
        return
    slow = replace(quick, regexes=None)
    assert slow.match(value, 0, longest=longest) == quick.match(value, 0, longest=longest)
    assert slow.search(value, 0) == quick.search(value, 0)
