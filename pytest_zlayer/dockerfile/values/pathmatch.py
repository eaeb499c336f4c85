"""Wildcards of COPY and ADD sources: the rules of Go's ``filepath.Match``."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from pytest_zlayer.dataclass import dataclass

BAD_PATTERN = "syntax error in pattern"

OneChar: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of single-character tests, after a ``*`` (any run without ``/``) if ``star``."""

    star: bool
    tests: tuple[OneChar, ...]

    def match(self, name: str, start: int) -> bool:
        """Whether the tests hold for the characters from ``start`` on."""
        if start + len(self.tests) > len(name):
            return False
        return all(test(name[start + offset]) for offset, test in enumerate(self.tests))


def go_match(pattern: str, name: str) -> bool:
    """Whether ``pattern`` matches all of ``name``.

    ``*`` and ``?`` do not match ``/``; ``[a-c]`` and ``[^a]`` are classes; a backslash escapes.

    Raises:
        ValueError: ``syntax error in pattern``.
    """
    chunks = compile_pattern(pattern)
    position = 0
    for index, chunk in enumerate(chunks):
        found = _place(chunk, name, position, last=index == len(chunks) - 1)
        if found is None:
            return False
        position = found
    return position == len(name)


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> tuple[Chunk, ...]:
    """The chunks of a pattern; raises ``ValueError`` as :func:`go_match` does."""
    chunks: list[Chunk] = []
    position = 0
    while position < len(pattern):
        rest = pattern[position:].lstrip("*")
        star = len(rest) < len(pattern) - position
        tests, length = _read_chunk(rest)
        chunks.append(Chunk(star, tests))
        position = len(pattern) - len(rest) + length
    return tuple(chunks)


def _place(chunk: Chunk, name: str, start: int, *, last: bool) -> int | None:
    """Where the name goes on after the first place the chunk fits, or ``None``.

    As in Go, a place once taken is not taken back when a later chunk fails.
    """
    length = len(chunk.tests)
    if chunk.star and not length:
        return None if "/" in name[start:] else len(name)
    position = start
    while True:
        if chunk.match(name, position) and not (last and position + length < len(name)):
            return position + length
        if not chunk.star or position >= len(name) or name[position] == "/":
            return None
        position += 1


def _read_chunk(text: str) -> tuple[tuple[OneChar, ...], int]:
    tests: list[OneChar] = []
    position = 0
    while position < len(text) and text[position] != "*":
        test, position = _read_test(text, position)
        tests.append(test)
    return tuple(tests), position


def _read_test(text: str, position: int) -> tuple[OneChar, int]:
    char = text[position]
    if char == "?":
        return "/".__ne__, position + 1
    if char == "[":
        ranges, negated, position = read_class(text, position)
        return _class_test(ranges, negated), position
    if char == "\\":
        position += 1
        if position == len(text):
            raise ValueError(BAD_PATTERN)
    return text[position].__eq__, position + 1


def read_class(text: str, position: int) -> tuple[tuple[tuple[str, str], ...], bool, int]:
    """The ranges of the class that begins at ``position``, whether negated, and its end.

    Raises:
        ValueError: ``syntax error in pattern``.
    """
    position += 1
    negated = text[position : position + 1] == "^"
    position += negated
    ranges: list[tuple[str, str]] = []
    while not (ranges and text[position : position + 1] == "]"):
        low, position = _class_char(text, position)
        high = low
        if text[position] == "-":
            high, position = _class_char(text, position + 1)
        ranges.append((low, high))
    return tuple(ranges), negated, position + 1


def _class_char(text: str, position: int) -> tuple[str, int]:
    if text[position : position + 1] in ("", "-", "]"):
        raise ValueError(BAD_PATTERN)
    if text[position] == "\\":
        position += 1
    if position + 1 >= len(text):
        raise ValueError(BAD_PATTERN)
    return text[position], position + 1


def _class_test(ranges: tuple[tuple[str, str], ...], negated: bool) -> OneChar:
    def test(char: str) -> bool:
        return any(low <= char <= high for low, high in ranges) != negated

    return test
