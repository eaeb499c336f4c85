"""Wildcards matched in time proportional to the text, however many of them there are.

A regular expression of Python tries every way to share a text among its wildcards, and nothing
can interrupt it; the expressions of Go, by whose rules patterns are read, do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from pytest_zlayer.dataclass import dataclass

# With so many wildcards of any length a regular expression is still quick.
MOST_FOR_REGEX = 2


@dataclass(frozen=True, slots=True)
class One:
    """One character for which ``test`` holds."""

    test: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Run:
    """Any number of characters for which ``test`` holds."""

    test: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Folders:
    """Nothing, or text without a line break that ends in a slash."""


GlobPart: TypeAlias = str | One | Run | Folders


def not_slash(char: str) -> bool:
    """What ``*`` and ``?`` of a path stand for."""
    return char != "/"


def not_newline(char: str) -> bool:
    """What the dot of a regular expression stands for."""
    return char != "\n"


def matches(parts: Iterable[GlobPart], text: str) -> bool:
    """Whether the parts, one after the other, match all of ``text``."""
    return bool(ends(parts, text, (0,))[-1])


def ends(parts: Iterable[GlobPart], text: str, starts: Iterable[int]) -> Sequence[int]:
    """For each position, from 0 to the text's end, 1 if a match from a start ends there, else 0."""
    reached = bytearray(len(text) + 1)
    for start in starts:
        reached[start] = 1
    for part in parts:
        reached = _after(part, text, reached)
    return reached


def _after(part: GlobPart, text: str, reached: bytearray) -> bytearray:
    match part:
        case str():
            return _after_literal(part, text, reached)
        case One():
            return _after_one(part, text, reached)
        case Run():
            return _after_run(part, text, reached)
        case Folders():
            return _after_folders(text, reached)


def _after_literal(literal: str, text: str, reached: bytearray) -> bytearray:
    found = bytearray(len(reached))
    position = reached.find(1)
    while position >= 0:
        if text.startswith(literal, position):
            found[position + len(literal)] = 1
        position = reached.find(1, position + 1)
    return found


def _after_one(part: One, text: str, reached: bytearray) -> bytearray:
    found = bytearray(len(reached))
    for position, char in enumerate(text):
        found[position + 1] = reached[position] and part.test(char)
    return found


def _after_run(part: Run, text: str, reached: bytearray) -> bytearray:
    found = bytearray(reached)
    for position, char in enumerate(text):
        if found[position] and part.test(char):
            found[position + 1] = 1
    return found


def _after_folders(text: str, reached: bytearray) -> bytearray:
    found = bytearray(reached)
    inside = False
    for position, char in enumerate(text):
        inside = (inside or bool(reached[position])) and char != "\n"
        if inside and char == "/":
            found[position + 1] = 1
    return found
