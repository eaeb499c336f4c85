"""Values of single arguments of a declaration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer import argument_values as values
from pytest_zlayer.errors import UsageError

Convert = Callable[[str, Any], Any]


@pytest.mark.parametrize(
    ("convert", "given", "value"),
    [
        (values.path_text, "a/b", "a/b"),
        (values.path_text, Path("a/b"), "a/b"),
        (values.as_text, "", ""),
        (values.as_text, "\udcff", "\udcff"),
        (values.as_texts, "a", ("a",)),
        (values.as_texts, ["a", "b"], ("a", "b")),
        (values.as_texts, (), ()),
        (values.as_bool, False, False),
        (values.as_count, 3, 3),
        (values.as_seconds, 3, 3.0),
        (values.as_seconds, 0.5, 0.5),
        (values.as_network, "none", "none"),
        (values.mapping, {"a": 1}, {"a": 1}),
        (values.value_text, "3.10", "3.10"),
        (values.value_text, 3, "3"),
        (values.as_values, {"a": "x", "b": 3}, {"a": "x", "b": "3"}),
    ],
)
def test_a_value_is_taken(convert: Convert, given: Any, value: Any) -> None:
    found = convert("it", given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("convert", "given", "message"),
    [
        (values.path_text, "", "it must be a path, not ''"),
        (values.path_text, 3, "it must be a path, not 3"),
        (values.as_text, b"x", "it must be text, not b'x'"),
        (values.as_texts, 3, "it must be a list of texts, not 3"),
        (values.as_texts, ["a", 3], "it must be a list of texts, not ['a', 3]"),
        (values.as_texts, {"a"}, "it must be a list of texts, not {'a'}"),
        (values.as_bool, 1, "it must be True or False, not 1"),
        (values.as_count, True, "it must be a whole number, not True"),
        (values.as_count, 1.0, "it must be a whole number, not 1.0"),
        (values.as_seconds, True, "it must be a number of seconds, not True"),
        (values.as_seconds, "1", "it must be a number of seconds, not '1'"),
        (values.as_network, "bridge", "it must be one of default, none, host, not 'bridge'"),
        (values.mapping, ["a"], "it must be a mapping of names to values, not ['a']"),
        (values.mapping, {1: "a"}, "it must be a mapping of names to values, not {1: 'a'}"),
        (values.value_text, True, "it must be text, not True"),
        (values.as_values, {"a": None}, "it['a'] must be text, not None"),
        (values.as_seconds, 10**400, "it is too large a number of seconds"),
        (values.path_text, "a\0", "it must not contain a NUL character"),
        (values.as_text, "a\0", "it must not contain a NUL character"),
        (values.as_text, "\ud800", "it must not contain '\\ud800', half of a surrogate pair"),
        (values.as_texts, ["a", "\0"], "it must not contain a NUL character"),
        (values.as_values, {"a": "\0"}, "it['a'] must not contain a NUL character"),
        (values.as_values, {"\0": "a"}, "a name in it must not contain a NUL character"),
    ],
)
def test_another_value_is_refused_by_name(convert: Convert, given: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert("it", given)
    assert caught.value.message == message


def test_a_number_with_a_fraction_would_lose_zeros() -> None:
    with pytest.raises(UsageError) as caught:
        values.value_text("PY", 3.1)
    assert (caught.value.message, caught.value.hint) == (
        "PY must be text, not 3.1",
        'write it in quotes, "3.1"',
    )


def test_a_path_of_bytes_is_none() -> None:
    class Odd:
        def __fspath__(self) -> bytes:
            return b"x"

        def __repr__(self) -> str:
            return "odd"

    with pytest.raises(UsageError, match=r"^it must be a path, not odd$"):
        values.path_text("it", Odd())
