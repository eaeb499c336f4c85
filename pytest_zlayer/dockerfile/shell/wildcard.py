"""The patterns of ``${name#pattern}`` and ``${name/pattern/text}``: shell wildcards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.globs import (
    MOST_FOR_REGEX,
    GlobPart,
    One,
    Run,
    ends,
    not_newline,
)
from pytest_zlayer.lazy import late_pattern

_STAR = Run(not_newline)
_ONE = One(not_newline)

# BuildKit hands the replacement of every match to Go's regexp templates, which know `$0`, the
# whole match, and no other group: whatever else looks like one vanishes.
_TEMPLATE = late_pattern(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def trim_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without what ``pattern`` matches at its beginning.

    Raises:
        ValueError: ``invalid pattern (…) in substitution: invalid escape '…'``.
    """
    end = _read(pattern).match(value, 0, longest=longest)
    return value if end is None else value[end:]


def trim_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without what ``pattern`` matches at its end; errors as :func:`trim_prefix`."""
    # Both are reversed, for a match is looked for from its beginning.
    return trim_prefix(value[::-1], _reversed(pattern), longest=longest)[::-1]


def replace_first(value: str, pattern: str, text: str) -> str:
    """``value`` with the leftmost longest match replaced; errors as :func:`trim_prefix`."""
    found = _read(pattern).search(value, 0)
    return value if found is None else value[: found[0]] + text + value[found[1] :]


def replace_every(value: str, pattern: str, text: str) -> str:
    """``value`` with every match replaced; errors as :func:`trim_prefix`.

    An empty match right after another match does not count (Python's ``re.sub`` counts it).
    """
    glob = _read(pattern)
    pieces = []
    done = position = 0
    while position <= len(value) and (found := glob.search(value, position)):
        start, end = found
        pieces.append(value[done:start])
        if end > done or start == 0:
            pieces.append(_filled(text, value[start:end]))
        done = end
        position = max(position + 1, end)
    return "".join(pieces) + value[done:]


def _filled(text: str, matched: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return matched if (match[2] or match[3]) == "0" else ""

    return _TEMPLATE.sub(value, text)


@dataclass(frozen=True, slots=True)
class _Glob:
    """A pattern: regular expressions for its longest and shortest match, if it has few stars."""

    parts: tuple[GlobPart, ...]
    regexes: tuple[re.Pattern[str], re.Pattern[str]] | None

    def match(self, value: str, start: int, *, longest: bool) -> int | None:
        """Where the longest or shortest match from ``start`` ends."""
        if self.regexes is not None:
            found = self.regexes[not longest].match(value, start)
            return found.end() if found else None
        reached = bytes(ends(self.parts, value, (start,)))
        position = reached.rfind(1) if longest else reached.find(1)
        return None if position < 0 else position

    def search(self, value: str, start: int) -> tuple[int, int] | None:
        """Where the leftmost longest match from ``start`` on begins and ends."""
        if self.regexes is not None:
            found = self.regexes[0].search(value, start)
            return found.span() if found else None
        # From right to left: where a match that ends anywhere may begin.
        mirrored = self.parts[::-1]  # texts are single characters
        rest = value[start:][::-1]
        begins = bytes(ends(mirrored, rest, range(len(rest) + 1))).rfind(1)
        if begins < 0:
            return None
        first = len(value) - begins
        end = self.match(value, first, longest=True)
        return None if end is None else (first, end)


@lru_cache(maxsize=512)
def _read(pattern: str) -> _Glob:
    try:
        parts = tuple(_parts(pattern))
    except ValueError as error:
        raise ValueError(f"invalid pattern ({pattern}) in substitution: {error}") from None
    if parts.count(_STAR) > MOST_FOR_REGEX:
        return _Glob(parts, None)
    greedy, lazy = (re.compile("".join(_regexes(parts, star))) for star in (".*", ".*?"))
    return _Glob(parts, (greedy, lazy))


def _regexes(parts: Iterable[GlobPart], star: str) -> Iterator[str]:
    for part in parts:
        yield re.escape(part) if isinstance(part, str) else star if part == _STAR else "."


def _parts(pattern: str) -> Iterator[GlobPart]:
    position = 0
    last: GlobPart = ""
    while position < len(pattern):
        char = pattern[position]
        position += 1
        part: GlobPart = _STAR if char == "*" else _ONE if char == "?" else char
        if char == "\\":
            position, part = _escaped(pattern, position)
        if part != _STAR or last != _STAR:  # two in a row match what one does
            yield part
        last = part or last


def _escaped(pattern: str, position: int) -> tuple[int, str]:
    """Where to go on after a backslash, and what it protects."""
    char = pattern[position : position + 1] or "\ufffd"
    if char in "}/":
        return position, ""
    if char not in "*?\\":
        raise ValueError(f"invalid escape '\\{char}'")
    return position + 1, char


def _reversed(pattern: str) -> str:
    """The pattern from right to left, escapes kept in front of what they protect."""
    return "".join(reversed(re.findall(r"\\.|.", pattern, re.DOTALL)))
