"""Values of flags of RUN and HEALTHCHECK, and BuildKit's texts about wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from pytest_zlayer.dockerfile.values.flag_values import (
    parse_interval,
    parse_network,
    parse_retries,
    parse_security,
)

INTERVAL = partial(parse_interval, flag="start-period")


@pytest.mark.parametrize(
    ("parse", "texts"),
    [(parse_network, ["default", "none", "host"]), (parse_security, ["sandbox", "insecure"])],
)
def test_choices_are_kept_as_they_are_written(
    parse: Callable[[str], str], texts: list[str]
) -> None:
    assert [parse(text) for text in texts] == texts


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("", 0), ("0s", 0), ("1ms", 1_000_000), ("1.5s", 1_500_000_000)],
)
def test_an_interval_is_none_or_at_least_a_millisecond(text: str, nanoseconds: int) -> None:
    assert INTERVAL(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "retries"),
    [("", 0), ("0", 0), ("-0", 0), ("+3", 3), ("0" * 30 + "3", 3), ("2147483647", 2**31 - 1)],
)
def test_retries_are_a_count_of_32_bits(text: str, retries: int) -> None:
    assert parse_retries(text) == retries


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_network, "bridge", 'invalid network mode "bridge"'),
        (parse_security, "", 'security "" is not valid'),
        (INTERVAL, "999us", 'Interval "start-period" cannot be less than 1ms'),
        (INTERVAL, "-1s", 'Interval "start-period" cannot be less than 1ms'),
        (INTERVAL, "1", 'time: missing unit in duration "1"'),
        (parse_retries, "x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (parse_retries, "-1", "--retries cannot be negative (-1)"),
        (parse_retries, "-2147483648", "--retries cannot be negative (-2147483648)"),
        (
            parse_retries,
            "-2147483649",
            'strconv.ParseInt: parsing "-2147483649": value out of range',
        ),
        (
            parse_retries,
            "2147483648",
            'strconv.ParseInt: parsing "2147483648": value out of range',
        ),
        (parse_retries, "9" * 20, f'strconv.ParseInt: parsing "{"9" * 20}": value out of range'),
    ],
)
def test_wrong_values_are_refused(parse: Callable[[str], object], text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse(text)
    assert str(raised.value) == message
