"""The values of flags that are used as they are written: RUN's choices, HEALTHCHECK's numbers."""

from __future__ import annotations

from typing import Literal, cast, get_args

from pytest_zlayer.choices import NETWORK_MODES, NetworkMode
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.lazy import LOADING, late_pattern

SecurityMode = Literal["sandbox", "insecure"]

_INTEGER = late_pattern(r"[+-]?[0-9]+")
_INT32 = 1 << 31
_SHORTEST_INTERVAL = 1_000_000


def parse_network(text: str) -> NetworkMode:
    """The value of ``RUN --network``; else ``ValueError`` with BuildKit's text."""
    if text not in NETWORK_MODES:
        raise ValueError(f"invalid network mode {go_quote(text)}")
    return text


def parse_security(text: str) -> SecurityMode:
    """The value of ``RUN --security``; else ``ValueError`` with BuildKit's text."""
    if text not in get_args(SecurityMode):
        raise ValueError(f"security {go_quote(text)} is not valid")
    return cast("SecurityMode", text)


def parse_interval(text: str, *, flag: str) -> int:
    """Nanoseconds of a duration of HEALTHCHECK, 0 for an empty text.

    Raises:
        ValueError: BuildKit's text; it names the ``flag``.
    """
    with LOADING:
        from pytest_zlayer.dockerfile.values.durations import parse_duration

    duration = parse_duration(text) if text else 0
    if duration != 0 and duration < _SHORTEST_INTERVAL:
        raise ValueError(f'Interval "{flag}" cannot be less than 1ms')
    return duration


def parse_retries(text: str) -> int:
    """The value of ``HEALTHCHECK --retries``, 0 for an empty text; else ``ValueError``."""
    if not text:
        return 0
    problem = f"strconv.ParseInt: parsing {go_quote(text)}"
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{problem}: invalid syntax")
    # A number with more digits than this is out of range, whatever they are.
    retries = int(text) if len(text.lstrip("+-0")) < 20 else _INT32
    if not -_INT32 <= retries < _INT32:
        raise ValueError(f"{problem}: value out of range")
    if retries < 0:
        raise ValueError(f"--retries cannot be negative ({retries})")
    return retries
