"""The global scope, automatic and proxy arguments."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_zlayer.dockerfile.parser.parse import parse
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.stages.scope import (
    GlobalScope,
    Lookups,
    Reading,
    automatic_args,
    global_scope,
    part_of,
    proxy_args,
    read_word,
)
from pytest_zlayer.dockerfile.values.platforms import Platform

AMD = Platform("linux", "amd64")
ARM = Platform("linux", "arm", "v7", "6.1")


def scope(text: str, build_args: Mapping[str, str] | None = None) -> GlobalScope:
    dockerfile = parse(f"{text}\nFROM scratch\n")
    given = build_args or {}
    return global_scope(dockerfile, automatic_args(AMD, AMD, "", given), given)


def test_automatic_args_describe_both_platforms_and_the_target():
    assert automatic_args(ARM, AMD, "app", {}) == {
        "BUILDPLATFORM": "linux/amd64",
        "BUILDOS": "linux",
        "BUILDOSVERSION": "",
        "BUILDARCH": "amd64",
        "BUILDVARIANT": "",
        "TARGETPLATFORM": "linux(6.1)/arm/v7",
        "TARGETOS": "linux",
        "TARGETOSVERSION": "6.1",
        "TARGETARCH": "arm",
        "TARGETVARIANT": "v7",
        "TARGETSTAGE": "app",
    }


def test_target_stage_is_default_when_no_stage_has_a_name():
    assert automatic_args(AMD, AMD, "", {})["TARGETSTAGE"] == "default"


def test_a_build_argument_replaces_an_automatic_one():
    assert automatic_args(AMD, AMD, "", {"TARGETARCH": "zz"})["TARGETARCH"] == "zz"


def test_a_global_arg_replaces_an_automatic_one():
    assert scope("ARG TARGETARCH=zz").values["TARGETARCH"] == "zz"


def test_defaults_are_expanded_left_to_right_within_one_instruction():
    assert scope("ARG A=1 B=${A}2").values["B"] == "12"


def test_a_build_argument_replaces_the_default_unexpanded():
    assert scope("ARG A=1", {"A": "$B"}).values["A"] == "$B"


def test_a_default_is_not_read_when_a_build_argument_is_given():
    assert scope("ARG A=${", {"A": "1"}).problems == ()


def test_an_arg_without_default_is_declared_and_unset():
    found = scope("ARG A")
    assert "A" in found.declared
    assert "A" not in found.values


def test_a_broken_default_is_reported_at_the_fault():
    (problem,) = scope("ARG A=x${a^}").problems
    assert problem.message == (
        'failed to process "x${a^}": unsupported modifier (^) in substitution'
    )
    assert (problem.span.line, problem.span.column) == (1, 8)


def test_proxies_come_in_both_spellings():
    assert proxy_args({"HTTP_PROXY": "http://p", "X": "1"}) == {
        "HTTP_PROXY": "http://p",
        "http_proxy": "http://p",
    }


def test_of_two_spellings_of_a_proxy_the_lower_case_one_wins():
    assert proxy_args({"no_proxy": "low", "NO_PROXY": "up"}) == {
        "NO_PROXY": "low",
        "no_proxy": "low",
    }


def test_an_empty_proxy_is_not_passed_on():
    assert proxy_args({"ALL_PROXY": ""}) == {}


def test_a_reading_names_what_was_found_and_what_was_missing():
    reading = read_word("$A-${B:-$C}-$A", {"A": "1"}, "\\")
    assert (reading.value, reading.found, reading.missing) == ("1--1", ("A",), ("C", "B"))


def test_a_reading_of_plain_text_says_nothing_else():
    assert read_word("a b", {}, "\\") == Reading("a b")


def test_a_failed_reading_keeps_what_was_looked_up_before():
    reading = read_word('"$A', {}, "\\")
    assert reading.error == (
        'failed to process "\\"$A": unexpected end of statement while looking for matching'
        " double-quote"
    )
    assert reading.missing == ("A",)


def test_lookups_behave_as_the_mapping_they_watch():
    lookups = Lookups({"A": "1"})
    assert ("A" in lookups, "B" in lookups, list(lookups), len(lookups)) == (True, False, ["A"], 1)
    with pytest.raises(KeyError):
        lookups["C"]
    assert list(lookups.missing) == ["B", "C"]


def test_part_of_a_word_is_located_in_it():
    word = Word("abcdef", Span(3, 5, 3, 11))
    assert part_of(word, 2, 4) == Span(3, 7, 3, 9)


def test_a_word_that_does_not_stand_as_written_is_shown_whole():
    for span in (Span(3, 5, 4, 2), Span(3, 5, 4, 7), Span(3, 5, 3, 9)):
        assert part_of(Word("ab", span), 1, 2) == span
