"""Booleans, whole numbers and byte sizes as they are written in flags and mount options."""

from __future__ import annotations

import re

from pytest_zlayer.lazy import late_pattern

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DIGITS = {8: re.compile(r"[0-7]+"), 10: re.compile(r"[0-9]+")}
_SIGNED = late_pattern(r"[+-]?[0-9]+")
_DECIMAL = late_pattern(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SIZE_PARTS = late_pattern(r"(.*[0-9. ])([^0-9. ]*)", re.DOTALL)
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}


def parse_bool(text: str) -> bool:
    """One of ``1 t T TRUE true True`` or ``0 f F FALSE false False``; else ``ValueError``."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"invalid boolean: {text}")


def parse_unsigned(text: str, *, base: int = 10) -> int:
    """A number of at most 32 bits in octal or decimal digits, unsigned; else ``ValueError``."""
    number = int(text, base) if len(text) < 64 and _DIGITS[base].fullmatch(text) else -1
    if not 0 <= number < 1 << 32:
        raise ValueError(f"invalid number: {text}")
    return number


def number_of(text: str) -> int | None:
    """The number that a text of up to 18 decimal digits stands for; ``None`` for any other text.

    Other digits than ASCII's, and thousands of them, are what ``int`` fails on.
    """
    return int(text) if len(text) <= 18 and text.isascii() and text.isdigit() else None


def parse_integer(text: str) -> int:
    """A decimal number of at most 64 bits with an optional sign; else ``ValueError``."""
    number = int(text) if _SIGNED.fullmatch(text) and len(text) < 64 else 1 << 63
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"invalid number: {text}")
    return number


def parse_size(text: str) -> int:
    """Bytes of a size such as ``64m``, ``1.5G``, ``2 KiB`` (units of 1024); else ``ValueError``."""
    parts = _SIZE_PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(f"invalid size: '{text}'")
    digits, unit = parts[1].removesuffix(" "), parts[2].lower()
    if not _DECIMAL.fullmatch(digits) or float(digits) < 0:
        raise ValueError(f"invalid size: '{text}'")
    size = float(digits) * _unit_size(unit)
    if size >= 1 << 63:
        raise ValueError(f"invalid size: '{text}'")
    return int(size)


def _unit_size(unit: str) -> int:
    if unit in ("", "b"):
        return 1
    if unit[0] not in _UNITS or unit[1:] not in ("", "b", "ib"):
        raise ValueError(f"invalid suffix: '{unit}'")
    return _UNITS[unit[0]]
