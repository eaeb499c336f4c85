"""How checks speak: near names, texts side by side, modes, owners, sizes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from pytest_zlayer.errors import UsageError

_MOST_NEAR = 5
_MOST_LINES = 40
_UNITS = {
    "": 1, "b": 1,
    "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9,
    "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip


def near(word: str, known: Iterable[str], *, most: int = _MOST_NEAR) -> list[str]:
    """The known words most like ``word``: those that hold it, or differ by a few letters."""
    names = sorted(set(known))
    alike = difflib.get_close_matches(word, names, n=most, cutoff=0.6)
    lowered = word.lower()
    holding = [one for one in names if lowered in one.lower() or (one and one.lower() in lowered)]
    return list(dict.fromkeys([*alike, *sorted(holding, key=len)]))[:most]


def near_line(word: str, known: Iterable[str], what: str) -> list[str]:
    """``near: a, b`` as a line, or none; ``what`` is said when nothing is there at all."""
    names = list(known)
    found = near(word, names)
    if found:
        return [f"near: {', '.join(found)}"]
    if not names:
        return [f"there are no {what}"]
    shown = ", ".join(sorted(names)[:10])
    return [f"there are: {shown}{', …' if len(names) > 10 else ''}"]


def text_difference(expected: str, found: str) -> list[str]:
    """Two texts line by line: ``-`` what was expected, ``+`` what is there."""
    left, right = expected.splitlines(), found.splitlines()
    lines = list(difflib.unified_diff(left, right, "expected", "found", lineterm="", n=2))
    if not lines:
        return ["they differ in the ends of lines:", f"- {expected!r}", f"+ {found!r}"]
    if expected.endswith("\n") != found.endswith("\n"):
        without = "what was expected" if found.endswith("\n") else "what was found"
        lines.append(f"(no newline at the end of {without})")
    return shortened(lines)


def shown_text(text: str) -> list[str]:
    """A text as lines for a message, cut where it is long."""
    return shortened([f"  {line}" for line in text.splitlines()]) or ["  (nothing)"]


def shortened(lines: list[str], most: int = _MOST_LINES) -> list[str]:
    """The first lines, and how many more there are."""
    rest = len(lines) - most
    return lines if rest <= 0 else [*lines[:most], f"… and {rest} more lines"]


def mode_text(mode: int) -> str:
    """Permission bits as ``chmod`` takes them: ``0755``, ``04755``."""
    return f"0{mode:o}" if mode > 0o777 else f"0{mode:03o}"


def parse_mode(value: int | str) -> int:
    """A mode as a number, or as octal digits in a text.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise UsageError(f"a mode is a number or octal digits, not {value!r}")
    if isinstance(value, int):
        return value
    if not re.fullmatch(r"(0o?)?[0-7]{1,5}", value):
        raise UsageError(f"a mode is a number or octal digits, not {value!r}")
    return int(value.removeprefix("0o"), 8)


def parse_size(value: float | str) -> int:
    """Bytes from a number or from a text such as ``20 MB`` or ``1.5GiB``.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", str(value))
    if match is None or match[2].lower() not in _UNITS:
        raise UsageError(
            f"a size is a number of bytes or a text like 20MB or 1.5GiB, not {value!r}"
        )
    return int(float(match[1]) * _UNITS[match[2].lower()])


def size_text(size: int) -> str:
    """Bytes for people: ``532 B``, ``12.4 kB``, ``1.23 GB``."""
    if abs(size) < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if abs(value) < 1000 or unit == "TB":
            break
    return f"{value:.3g} {unit}" if abs(value) < 100 else f"{value:.0f} {unit}"


def indented(lines: Iterable[str]) -> list[str]:
    """Lines below the one that says what is wrong."""
    return [f"  {line}" if line else "" for line in lines]
