"""Durations as Go writes them: ``1m30s``, ``1.5h``, ``300ms``."""

from __future__ import annotations

import re
from typing import NoReturn

from pytest_zlayer.lazy import late_pattern

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # the micro sign
    "\u03bcs": 1_000,  # the Greek letter
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PIECE = late_pattern(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_LARGEST = (1 << 63) - 1


def parse_duration(text: str) -> int:
    """Nanoseconds of a signed sequence of decimal numbers, each with its unit; a bare 0 is fine.

    Raises:
        ValueError: ``time: invalid duration "…"``, ``time: missing unit in duration "…"`` or
            ``time: unknown unit "…" in duration "…"``.
    """
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0
    if not body:
        _invalid(text)
    total = sum(_pieces(body, text))
    negative = text.startswith("-")
    if total > _LARGEST + negative:
        _invalid(text)
    return -total if negative else total


def _pieces(body: str, text: str) -> list[int]:
    values = []
    position = 0
    while position < len(body):
        match = _PIECE.match(body, position)
        if match is None or not match[0]:
            _invalid(text)
        values.append(_piece_value(match, text))
        position = match.end()
    return values


def _piece_value(match: re.Match[str], text: str) -> int:
    whole, fraction, unit = match[1], match[2] or "", match[3]
    if not whole and not fraction:
        _invalid(text)
    if not unit:
        raise ValueError(f"time: missing unit in duration {_quoted(text)}")
    if unit not in _NANOSECONDS:
        raise ValueError(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
    if len(whole.lstrip("0")) > 20:
        _invalid(text)
    size = _NANOSECONDS[unit]
    # More than 20 decimals are below a nanosecond for every unit.
    decimals = fraction[:20]
    part = int(decimals) * size // 10 ** len(decimals) if decimals else 0
    return int(whole or "0") * size + part


def _invalid(text: str) -> NoReturn:
    raise ValueError(f"time: invalid duration {_quoted(text)}")


def _quoted(text: str) -> str:
    """The time package's own quoting: bytes outside of printable ASCII in hexadecimal."""
    shown = ""
    for char in text:
        if char in '"\\':
            shown += "\\" + char
        elif " " <= char < "\x7f" or char == "\x7f":
            shown += char
        else:
            data = char.encode("utf-8", "surrogateescape")
            shown += "".join(f"\\x{byte:02x}" for byte in data)
    return f'"{shown}"'
