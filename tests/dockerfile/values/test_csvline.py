"""Comma-separated fields of one line."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.csvline import csv_fields


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a,", ["a", ""]),
        (",", ["", ""]),
        (" a , b ", [" a ", " b "]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say ""hi""",x', ['say "hi"', "x"]),
        ('"",x', ["", "x"]),
        ('x,""', ["x", ""]),
        ("a,b\r\n", ["a", "b"]),
        ('"a\nb"', ["a\nb"]),
        ("a\nb,c", ["a\nb", "c"]),
    ],
)
def test_quotes_protect_commas(line: str, fields: list[str]) -> None:
    assert csv_fields(line) == fields


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "EOF"),
        ("\n", "EOF"),
        ('a"b', 'parse error on line 1, column 2: bare " in non-quoted-field'),
        ('é,a"b', 'parse error on line 1, column 5: bare " in non-quoted-field'),
        ('"a', 'parse error on line 1, column 2: extraneous or missing " in quoted-field'),
        ('"a"b', 'parse error on line 1, column 3: extraneous or missing " in quoted-field'),
    ],
)
def test_errors_are_those_of_go(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        csv_fields(line)
    assert str(raised.value) == message
