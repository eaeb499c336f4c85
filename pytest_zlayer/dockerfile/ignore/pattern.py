"""One pattern of an ignore file: what it is made of and what it matches."""

from __future__ import annotations

import re
from enum import Enum
from typing import TypeAlias

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.globs import (
    MOST_FOR_REGEX,
    Folders,
    GlobPart,
    One,
    Run,
    matches,
    not_newline,
    not_slash,
)
from pytest_zlayer.dockerfile.values.pathmatch import BAD_PATTERN, read_class


class Wild(Enum):
    """The parts that stand for varying text; the value is the regular expression."""

    ONE = "[^/]"
    MANY = "[^/]*"
    FOLDERS = "(?:.*/)?"  # `**` or `**/` with something after it
    REST = ".*"  # `**` at the end


@dataclass(frozen=True, slots=True)
class CharClass:
    """``[…]``; unlike ``?`` it may match a slash, as Go's regular expressions do."""

    regex: str

    @property
    def matches_slash(self) -> bool:
        return re.fullmatch(self.regex, "/") is not None


PatternPart: TypeAlias = str | Wild | CharClass


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """A cleaned pattern; ``negated`` if it began with ``!``.

    ``parts`` hold literal text (never two in a row), wildcards and classes; ``regex`` matches the
    whole of a path. ``folders`` are regular expressions of the path elements with a slash after
    them, as far as the pattern goes element by element; ``open_end`` is how the element begins
    from which on it spans folders (``None`` if it does nowhere).
    """

    text: str
    negated: bool
    parts: tuple[PatternPart, ...]
    regex: str
    folders: tuple[str, ...]
    open_end: str | None

    @property
    def is_simple(self) -> bool:
        """Whether a regular expression matches it in good time."""
        wild = sum(part in (Wild.MANY, Wild.FOLDERS, Wild.REST) for part in self.parts)
        return wild <= MOST_FOR_REGEX

    def matches(self, path: str) -> bool:
        """Whether all of ``path`` matches, in time proportional to its length."""
        return matches(map(_glob_part, self.parts), path)

    @property
    def literal(self) -> str | None:
        """The one path the pattern matches, if it has no wildcards."""
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        return None

    @property
    def name_regex(self) -> str | None:
        """What the last element of every matching path matches; ``None`` if that is not known."""
        name = ""
        for index, part in reversed(tuple(enumerate(self.parts))):
            if part is Wild.FOLDERS:
                return name if self._begins_element(index) else None
            if spans_folders(part):
                return None
            if isinstance(part, str) and "/" in part:
                return part_regex(part.rpartition("/")[2]) + name
            name = part_regex(part) + name
        return name

    def _begins_element(self, index: int) -> bool:
        if index == 0:
            return self.text.startswith("**/")
        before = self.parts[index - 1]
        return isinstance(before, str) and before.endswith("/")

    def may_match_below(self, folder: str) -> bool:
        """Whether something below ``folder`` could match."""
        if not self.is_simple:
            return True  # it costs time to look in vain, and nothing else
        names = folder.split("/")
        for expected, name in zip(self.folders, names, strict=False):
            if not re.fullmatch(expected, name):
                return False
        if len(names) <= len(self.folders):
            return True
        name = names[len(self.folders)]
        return self.open_end is not None and re.match(self.open_end, name) is not None


def parse_pattern(text: str, *, negated: bool) -> IgnorePattern:
    """Read a cleaned pattern.

    Raises:
        ValueError: ``syntax error in pattern``.
    """
    parts = tuple(_merged(_read_parts(text)))
    return IgnorePattern(text, negated, parts, _regex(parts, text), *_reach(parts))


def _read_parts(text: str) -> list[PatternPart]:
    parts: list[PatternPart] = []
    position = 0
    while position < len(text):
        part, position = _read_part(text, position)
        parts.append(part)
    return parts


def _read_part(text: str, position: int) -> tuple[PatternPart, int]:
    char = text[position]
    if text.startswith("**", position):
        position += 3 if text.startswith("/", position + 2) else 2
        return (Wild.FOLDERS if position < len(text) else Wild.REST), position
    if char == "*":
        return Wild.MANY, position + 1
    if char == "?":
        return Wild.ONE, position + 1
    if char == "[":
        ranges, negated, position = read_class(text, position)
        return CharClass(_class_regex(ranges, negated)), position
    if char == "\\":
        position += 1
        if position == len(text):
            raise ValueError(BAD_PATTERN)
    return text[position], position + 1


def _class_regex(ranges: tuple[tuple[str, str], ...], negated: bool) -> str:
    if any(low > high for low, high in ranges):
        raise ValueError(BAD_PATTERN)
    body = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges)
    return f"[{'^' if negated else ''}{body}]"


def _merged(parts: list[PatternPart]) -> list[PatternPart]:
    merged: list[PatternPart] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, str) and isinstance(last, str):
            merged[-1] = last + part
        elif part not in (Wild.MANY, Wild.FOLDERS) or last is not part:
            merged.append(part)
    return merged


def _glob_part(part: PatternPart) -> GlobPart:
    match part:
        case str():
            return part
        case Wild.ONE:
            return One(not_slash)
        case Wild.MANY:
            return Run(not_slash)
        case Wild.FOLDERS:
            return Folders()
        case Wild.REST:
            return Run(not_newline)
        case CharClass():
            compiled = re.compile(part.regex)
            return One(lambda char: compiled.match(char) is not None)


def part_regex(part: PatternPart) -> str:
    """The regular expression of one part."""
    if isinstance(part, str):
        return re.escape(part)
    return part.value if isinstance(part, Wild) else part.regex


def _regex(parts: tuple[PatternPart, ...], text: str) -> str:
    """Where moby's matcher compares strings, names with line breaks match as well."""
    anything = r"[\s\S]*"
    match parts:
        case (Wild.REST,):
            return anything
        case (str(literal), Wild.REST):
            return re.escape(literal) + anything
        case (Wild.FOLDERS, str(literal)) if not text.startswith("**/"):
            return anything + re.escape(literal)
        case (Wild.FOLDERS, str(literal)):
            return rf"(?:{anything}/)?{re.escape(literal)}"
    return "".join(map(part_regex, parts))


def _reach(parts: tuple[PatternPart, ...]) -> tuple[tuple[str, ...], str | None]:
    """The elements that end in a slash, and the beginning of the one that spans folders."""
    elements = [""]
    for part in parts:
        if spans_folders(part):
            return tuple(elements[:-1]), elements[-1]
        first, *rest = part.split("/") if isinstance(part, str) else [part]
        elements[-1] += part_regex(first)
        elements += [part_regex(element) for element in rest]
    return tuple(elements[:-1]), None


def spans_folders(part: PatternPart) -> bool:
    """Whether a part may match text with a slash in it."""
    return part in (Wild.FOLDERS, Wild.REST) or (isinstance(part, CharClass) and part.matches_slash)
