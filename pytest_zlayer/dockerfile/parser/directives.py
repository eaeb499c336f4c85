"""The directives that a builder reads before it parses: ``syntax`` and ``check``."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = frozenset(("syntax", "escape", "check"))
"""Every directive there is."""


_SPACES = "\t\n\f\r "


def directive_value(found: re.Match[str]) -> str:
    """The value of a directive; of white space alone BuildKit keeps the last character."""
    return found[2].strip(_SPACES) or found[2][-1]


def builder_directives(text: str, pattern: re.Pattern[str]) -> Mapping[str, str]:
    """The directives at the top of a file as the builder sees them.

    Its rules are a little different from the parser's: the mark stands in the first column, a
    first line ``#!`` is skipped, and a repeated directive only ends the search.
    """
    found: dict[str, str] = {}
    first, _, rest = text.partition("\n")
    start = len(first) + 1 if first.startswith("#!") and rest else 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        match = pattern.match(text[start:end].rstrip("\r"))
        if match is None or match[1].lower() not in NAMES or match[1].lower() in found:
            break
        found[match[1].lower()] = directive_value(match)
        start = end + 1
    return found
