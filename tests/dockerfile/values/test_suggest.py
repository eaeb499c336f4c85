"""Did-you-mean suggestions."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.suggest import levenshtein, suggest


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "", 0), ("", "abc", 3), ("from", "form", 2), ("kitten", "sitting", 3), ("a", "a", 0)],
)
def test_distance_counts_single_character_edits(one: str, other: str, distance: int) -> None:
    assert levenshtein(one, other) == levenshtein(other, one) == distance


def test_the_nearest_candidate_wins() -> None:
    assert suggest("chow", ["chmod", "chown"]) == "chown"
    assert suggest("targe", ["largest", "target"]) == "target"


def test_the_first_of_equally_near_candidates_wins() -> None:
    assert suggest("ax", ["ab", "ac"]) == "ab"


def test_nothing_is_suggested_beyond_distance_two() -> None:
    assert suggest("frobnicate", ["from"]) is None


def test_a_word_that_is_known_gets_no_suggestion() -> None:
    assert suggest("from", ["form", "from"]) is None


def test_ignoring_case_answers_in_the_users_manner() -> None:
    keywords = ["FROM", "RUN"]
    assert suggest("FORM", keywords, case_sensitive=False) == "FROM"
    assert suggest("Form", keywords, case_sensitive=False) == "from"


def test_case_matters_by_default() -> None:
    assert suggest("FORM", ["from"]) is None
