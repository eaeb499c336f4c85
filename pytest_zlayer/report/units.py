"""Seconds, bytes and counts as people read them."""

from __future__ import annotations

_UNITS = ("kB", "MB", "GB", "TB")


def seconds_text(seconds: float) -> str:
    """``0.3 s``, ``41.2 s``, ``3 min 05 s``, ``1 h 02 min``."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size_text(size: int) -> str:
    """Decimal units, as registries and ``docker images`` have them: ``1.2 GB``."""
    if size < 1000:
        return f"{size} B"
    value, units = size / 1000, list(_UNITS)
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}" if value < 99.95 else f"{value:.0f} {units[0]}"


def count_text(count: int, noun: str) -> str:
    """``1 image``, ``3 images``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
