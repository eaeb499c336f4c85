"""Finding the last of many patterns that matches a path, without trying them all."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from pytest_zlayer.dockerfile.ignore.pattern import (
    IgnorePattern,
    PatternPart,
    Wild,
    part_regex,
    spans_folders,
)
from pytest_zlayer.lazy import lazy

NONE = -1


class Names:
    """Patterns for a single name: literal ones, ``*.ending`` ones, and others."""

    def __init__(self) -> None:
        self._literal: dict[str, int] = {}
        self._endings: dict[int, dict[str, int]] = defaultdict(dict)
        self._others = Alternatives()

    def add(self, parts: tuple[PatternPart, ...], regex: str, index: int) -> None:
        """Patterns are added in order, so that a later one takes an earlier one's place."""
        match parts:
            case (str(name),):
                self._literal[name] = index
            case (Wild.MANY, str(ending)):
                self._endings[len(ending)][ending] = index
            case _:
                self._others.add(regex, index)

    def last(self, name: str) -> int:
        """The index of the last pattern that matches, or ``NONE``."""
        found = self._literal.get(name, NONE)
        for length, endings in self._endings.items():
            found = max(found, endings.get(name[-length:], NONE))
        return max(found, self._others.last(name)) if self._others else found


class Alternatives:
    """Regular expressions tried in one go, the last one first."""

    def __init__(self) -> None:
        self._regexes: list[tuple[str, int]] = []

    def __bool__(self) -> bool:
        return bool(self._regexes)

    def add(self, regex: str, index: int) -> None:
        """Indexes only grow."""
        self._regexes.append((regex, index))

    def last(self, text: str) -> int:
        """The index of the last expression that matches all of ``text``, or ``NONE``."""
        match = self._combined.match(text)
        return self._indexes[match.lastindex] if match and match.lastindex else NONE

    @lazy
    def _combined(self) -> re.Pattern[str]:
        tried = (rf"(?:{regex}\Z)()" for regex, _ in reversed(self._regexes))
        return re.compile("|".join(tried))

    @lazy
    def _indexes(self) -> list[int]:
        return [NONE, *(index for _, index in reversed(self._regexes))]


class PatternIndex:
    """Patterns sorted by what has to be looked at: the path, its folder, or only its name."""

    def __init__(self, patterns: Iterable[IgnorePattern]) -> None:
        self._paths: dict[str, int] = {}
        self._all_in: dict[str, int] = {}
        self._names = Names()
        self._names_in: defaultdict[str, Names] = defaultdict(Names)
        self._by_depth: defaultdict[int, Alternatives] = defaultdict(Alternatives)
        self._others = Alternatives()
        self._slow: list[tuple[IgnorePattern, int]] = []
        for index, pattern in enumerate(patterns):
            self._add(pattern, index)

    def last(self, folder: str, name: str, path: str) -> int:
        """The index of the last pattern that matches the path itself, or ``NONE``.

        Args:
            folder: the path's folder, ``""`` at the root.
            name: its last element.
            path: both together.
        """
        found = max(
            self._paths.get(path, NONE), self._all_in.get(folder, NONE), self._names.last(name)
        )
        if folder in self._names_in:
            found = max(found, self._names_in[folder].last(name))
        if self._by_depth and (depth := path.count("/")) in self._by_depth:
            found = max(found, self._by_depth[depth].last(f"{name}\0{path}"))
        if self._others:
            found = max(found, self._others.last(f"{name}\0{path}"))
        return max(found, self._last_slow(path)) if self._slow else found

    def _last_slow(self, path: str) -> int:
        found = (index for pattern, index in reversed(self._slow) if pattern.matches(path))
        return next(found, NONE)

    def _add(self, pattern: IgnorePattern, index: int) -> None:
        parts = pattern.parts
        if pattern.text.startswith("/"):
            return  # no path begins so
        if pattern.literal is not None:
            self._paths[pattern.literal] = index
        elif not pattern.is_simple:
            self._slow.append((pattern, index))
        elif len(parts) == 2 and _is_folder(parts[0]) and parts[1] is Wild.REST:
            self._all_in[str(parts[0])[:-1]] = index
        elif pattern.text.startswith("**/") and _is_name(parts[1:]):
            self._names.add(parts[1:], "".join(map(part_regex, parts[1:])), index)
        elif pattern.open_end is None:
            self._add_fixed_depth(pattern, index)
        else:
            self._others.add(_named_regex(pattern), index)

    def _add_fixed_depth(self, pattern: IgnorePattern, index: int) -> None:
        folder, name = _split(pattern.parts)
        if folder is None:
            self._by_depth[len(pattern.folders)].add(_named_regex(pattern), index)
        else:
            self._names_in[folder].add(name, "".join(map(part_regex, name)), index)


def _named_regex(pattern: IgnorePattern) -> str:
    """For the name, a NUL and the path: that the name does not fit is found out much faster."""
    name = r"[^\0]*" if pattern.name_regex is None else pattern.name_regex
    return rf"{name}\0{pattern.regex}"


def _is_folder(part: PatternPart) -> bool:
    return isinstance(part, str) and part.endswith("/")


def _is_name(parts: tuple[PatternPart, ...]) -> bool:
    return not any(spans_folders(part) or (isinstance(part, str) and "/" in part) for part in parts)


def _split(parts: tuple[PatternPart, ...]) -> tuple[str | None, tuple[PatternPart, ...]]:
    """The literal folder and what is left for the name; ``None`` if the folder has wildcards."""
    head, *tail = parts
    if any(isinstance(part, str) and "/" in part for part in tail):
        return None, ()
    if not isinstance(head, str) or "/" not in head:
        return "", parts
    folder, _, rest = head.rpartition("/")
    return folder, (rest, *tail) if rest else tuple(tail)
