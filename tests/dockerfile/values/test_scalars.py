"""Booleans, numbers and sizes."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.scalars import (
    number_of,
    parse_bool,
    parse_integer,
    parse_size,
    parse_unsigned,
)


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_true_has_six_spellings(text: str) -> None:
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_false_has_six_spellings(text: str) -> None:
    assert parse_bool(text) is False


@pytest.mark.parametrize("text", ["", "yes", "tRUE", " true"])
def test_nothing_else_is_a_boolean(text: str) -> None:
    with pytest.raises(ValueError, match="invalid boolean"):
        parse_bool(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1), ("9" * 5000, None), ("²", None), ("+1", None)],
)
def test_digits_that_int_fails_on_are_no_number(text: str, number: int | None) -> None:
    assert number_of(text) == number


def test_numbers_are_read_in_their_base() -> None:
    assert parse_unsigned("755", base=8) == 0o755
    assert parse_unsigned("4294967295") == 2**32 - 1


@pytest.mark.parametrize("text", ["", "-1", "+1", "4294967296", "1_0", "0x1", "²"])
def test_unsigned_numbers_have_digits_only_and_32_bits(text: str) -> None:
    with pytest.raises(ValueError, match="invalid number"):
        parse_unsigned(text)


def test_eight_is_no_octal_digit() -> None:
    with pytest.raises(ValueError, match="invalid number"):
        parse_unsigned("8", base=8)


@pytest.mark.parametrize(("text", "number"), [("-1", -1), ("+07", 7), ("0", 0)])
def test_integers_may_have_a_sign(text: str, number: int) -> None:
    assert parse_integer(text) == number


@pytest.mark.parametrize("text", ["", "+", "9223372036854775808", "9" * 100, "1 "])
def test_integers_have_64_bits(text: str) -> None:
    with pytest.raises(ValueError, match="invalid number"):
        parse_integer(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64", 64),
        ("64b", 64),
        ("1k", 1024),
        ("1.5m", 3 << 19),
        ("2 GiB", 2 << 30),
        ("1Tb", 1 << 40),
        ("1P", 1 << 50),
        (".5k", 512),
        ("1e2", 100),
        ("64 ", 64),
    ],
)
def test_sizes_have_units_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "1x", "1kb2", "1bb", "1kib2", "-1", "1.2.3", "1  k"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        parse_size(text)


@pytest.mark.parametrize(
    "digits", ["9223372036854775808", "9" * 5000, "1e999", "0." + "9" * 5000 + "e400"]
)
def test_a_size_beyond_all_bounds_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="invalid size"):
        parse_size(digits)


@pytest.mark.parametrize("base", [8, 10])
def test_a_number_of_thousands_of_digits_is_refused_as_others_are(base: int) -> None:
    with pytest.raises(ValueError, match="invalid number"):
        parse_unsigned("7" * 5000, base=base)
