"""Values of image configurations that tests of users compare and look up."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.operations.image_config import Labels, Variables, Words


def test_words_are_equal_to_lists_and_tuples_of_the_same_words() -> None:
    words = Words(["a", "b"])
    assert words == ["a", "b"]
    assert words == ("a", "b")
    assert words == Words("ab")
    assert not words != ["a", "b"]  # noqa: SIM202 (it is the operator that is tested)


@pytest.mark.parametrize("other", [["a"], ("b", "a"), ["a", "b", "c"], "ab", None])
def test_words_are_equal_to_nothing_else(other: object) -> None:
    words = Words(["a", "b"])
    assert words != other
    assert not words == other  # noqa: SIM201 (it is the operator that is tested)


def test_words_read_and_hash_as_tuples() -> None:
    words = Words(["a", "b"])
    assert repr(words) == "('a', 'b')"
    assert {words: 1}["a", "b"] == 1


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        (Variables(PATH="/bin"), "HOME", "there is no variable HOME"),
        (Variables(PATH="/bin"), "PAHT", "there is no variable PAHT (did you mean PATH?)"),
        (Variables(PATH="/bin"), "Paht", "there is no variable Paht (did you mean PATH?)"),
        (Variables(PATH="/bin"), "path", "there is no variable path (did you mean PATH?)"),
        (Labels({"a.Title": "x"}), "a.title", "there is no label a.title (did you mean a.Title?)"),
        (Labels({"a.Title": "x"}), "b", "there is no label b"),
        (Labels(), "a", "there is no label a"),
    ],
)
def test_a_name_that_is_not_there_is_reported_with_the_nearest_that_is(
    values: Variables, name: str, message: str
) -> None:
    with pytest.raises(KeyError) as raised:
        values[name]
    assert raised.value.args == (message,)


def test_what_is_there_is_found() -> None:
    assert Variables(PATH="/bin")["PATH"] == "/bin"
