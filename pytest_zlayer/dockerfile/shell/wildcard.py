"""The patterns of ``${name#pattern}`` and ``${name/pattern/text}``: shell wildcards."""

from __future__ import annotations

import re
from functools import lru_cache

# BuildKit hands the replacement of every match to Go's regexp templates, which know `$0`, the
# whole match, and no other group: whatever else looks like one vanishes.
_TEMPLATE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def trim_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without what ``pattern`` matches at its beginning.

    Raises:
        ValueError: ``invalid pattern (…) in substitution: invalid escape '…'``.
    """
    match = _compiled(pattern, greedy=longest).match(value)
    return value[match.end() :] if match else value


def trim_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without what ``pattern`` matches at its end; errors as :func:`trim_prefix`."""
    # Both are reversed, for a regular expression cannot look for the shortest match on the right.
    return trim_prefix(value[::-1], _reversed(pattern), longest=longest)[::-1]


def replace_first(value: str, pattern: str, text: str) -> str:
    """``value`` with the leftmost longest match replaced; errors as :func:`trim_prefix`."""
    match = _compiled(pattern, greedy=True).search(value)
    return value[: match.start()] + text + value[match.end() :] if match else value


def replace_every(value: str, pattern: str, text: str) -> str:
    """``value`` with every match replaced; errors as :func:`trim_prefix`.

    An empty match right after another match does not count (Python's ``re.sub`` counts it).
    """
    regex = _compiled(pattern, greedy=True)
    pieces = []
    done = position = 0
    while position <= len(value) and (match := regex.search(value, position)):
        start, end = match.span()
        pieces.append(value[done:start])
        if end > done or start == 0:
            pieces.append(_filled(text, match[0]))
        done = end
        position = max(position + 1, end)
    return "".join(pieces) + value[done:]


def _filled(text: str, matched: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return matched if (match[2] or match[3]) == "0" else ""

    return _TEMPLATE.sub(value, text)


@lru_cache(maxsize=512)
def _compiled(pattern: str, *, greedy: bool) -> re.Pattern[str]:
    try:
        regex = "".join(_pieces(pattern, ".*" if greedy else ".*?"))
    except ValueError as error:
        raise ValueError(f"invalid pattern ({pattern}) in substitution: {error}") from None
    return re.compile(regex)


def _pieces(pattern: str, star: str) -> list[str]:
    pieces: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            if pieces[-1:] != [star]:  # two in a row match what one does, only slower
                pieces.append(star)
        elif char == "?":
            pieces.append(".")
        elif char == "\\":
            position, literal = _escaped(pattern, position)
            pieces.append(literal)
        else:
            pieces.append(re.escape(char))
    return pieces


def _escaped(pattern: str, position: int) -> tuple[int, str]:
    """Where to go on after a backslash, and the expression for what it protects."""
    char = pattern[position : position + 1] or "\ufffd"
    if char in "}/":
        return position, ""
    if char not in "*?\\":
        raise ValueError(f"invalid escape '\\{char}'")
    return position + 1, re.escape(char)


def _reversed(pattern: str) -> str:
    """The pattern from right to left, escapes kept in front of what they protect."""
    return "".join(reversed(re.findall(r"\\.|.", pattern, re.DOTALL)))
