"""Durations in Go's syntax."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.durations import parse_duration

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("5s", 5 * SECOND),
        ("1m30s", 90 * SECOND),
        ("1.5h", 5400 * SECOND),
        ("-2s", -2 * SECOND),
        ("+2s", 2 * SECOND),
        (".5s", SECOND // 2),
        ("5.s", 5 * SECOND),
        ("1us", 1000),
        ("1µs", 1000),
        ("1μs", 1000),
        ("3ns1ms", 1_000_003),
        ("0.9ns", 0),
        ("2562047h47m16.854775807s", 2**63 - 1),
        ("-2562047h47m16.854775808s", -(2**63)),
    ],
)
def test_durations_are_nanoseconds(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", 'time: missing unit in duration "5"'),
        ("1h5", 'time: missing unit in duration "1h5"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("5 s", 'time: unknown unit " s" in duration "5 s"'),
        ("", 'time: invalid duration ""'),
        ("s", 'time: invalid duration "s"'),
        ("+", 'time: invalid duration "+"'),
        (".s", 'time: invalid duration ".s"'),
        ("--1s", 'time: invalid duration "--1s"'),
        ("1s x", 'time: unknown unit "s x" in duration "1s x"'),
        ("é", 'time: invalid duration "\\xc3\\xa9"'),
        ("1é", 'time: unknown unit "\\xc3\\xa9" in duration "1\\xc3\\xa9"'),
        ("9223372036s9s", 'time: invalid duration "9223372036s9s"'),
        ("9" * 5000 + "s", f'time: invalid duration "{"9" * 5000}s"'),
    ],
)
def test_errors_are_those_of_go(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^time: ") as raised:
        parse_duration(text)
    assert str(raised.value) == message
