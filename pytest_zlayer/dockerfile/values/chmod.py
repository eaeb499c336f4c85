"""The value of ``--chmod``: octal, or symbolic as BSD's ``chmod`` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

_SETUID, _SETGID, _STICKY = 0o4000, 0o2000, 0o1000
_EXECUTE = 0o111
_WHO = {"u": _SETUID | 0o700, "g": _SETGID | 0o070, "o": 0o007, "a": 0o6777}
_COPY_SHIFT = {"u": 6, "g": 3, "o": 0}
_CLAUSE = late_pattern(r"([ugoa]*)((?:[-+=][rwxXstugo]*)+)")
_OPERATION = late_pattern(r"([-+=])([rwxXstugo]*)")
_PERMISSION = {"r": 0o444, "w": 0o222, "x": _EXECUTE}

Kind: TypeAlias = Literal["set", "clear", "set-if-executable", "copy+", "copy-", "copy="]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of mode bits; for copies ``source`` is the shift of the class copied from."""

    kind: Kind
    bits: int
    source: int = 0


@dataclass(frozen=True, slots=True)
class Chmod:
    """A checked ``--chmod``; ``absolute`` is the mode of an octal value, else ``None``."""

    text: str
    absolute: int | None
    changes: tuple[Change, ...] = ()

    def apply(self, mode: int, is_dir: bool) -> int:
        """The permission bits (0..0o7777) that ``mode`` becomes."""
        if self.absolute is not None:
            return self.absolute
        original = mode & 0o7777
        result = original
        for change in self.changes:
            result = _changed(result, change, executable=is_dir or bool(original & _EXECUTE))
        return result


def parse_chmod(text: str) -> Chmod:
    """Read an octal number up to 07777 or a comma-separated list of ``[ugoa]*[+-=][rwxXst|ugo]*``.

    Raises:
        ValueError: BuildKit's text.
    """
    if text[:1].isdigit() and text[:1].isascii():
        return Chmod(text, _octal(text))
    changes: list[Change] = []
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise ValueError("invalid syntax")
        changes += _clause_changes(match[1], match[2])
    return Chmod(text, None, tuple(changes))


def _octal(text: str) -> int:
    if not re.fullmatch(r"[0-7]+", text) or int(text, 8) > 0o7777:
        raise ValueError(
            f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
        )
    return int(text, 8)


def _clause_changes(who: str, operations: str) -> Iterator[Change]:
    classes = 0
    for letter in who:
        classes |= _WHO[letter]
    for operator, letters in _OPERATION.findall(operations):
        yield from _operation_changes(classes, operator, letters)


def _operation_changes(classes: int, operator: str, letters: str) -> Iterator[Change]:
    """The changes of one operator; bits gathered so far are flushed before a class is copied."""
    bits = conditional = 0
    assigned = False
    for letter in letters:
        if letter in _COPY_SHIFT:
            yield from _flush(classes, operator, bits, conditional)
            yield _copy(classes, operator, letter)
            bits = conditional = 0
            assigned = True
        elif letter == "X" and operator != "-":
            conditional = _EXECUTE
        else:
            bits |= _letter_bits(letter, classes)
            if letter == "t" and classes != _WHO["o"]:
                classes |= _STICKY
    yield from _flush(classes, operator, bits, conditional, clear=not assigned)


def _letter_bits(letter: str, classes: int) -> int:
    if letter == "X":
        return _EXECUTE
    if letter in _PERMISSION:
        return _PERMISSION[letter]
    if classes == _WHO["o"]:  # set-id and sticky mean nothing for "other" alone
        return 0
    return _SETUID | _SETGID if letter == "s" else _STICKY


def _flush(
    classes: int, operator: str, bits: int, conditional: int, *, clear: bool = False
) -> Iterator[Change]:
    reach = classes or 0o7777
    if operator == "=" and (bits or clear):
        yield Change("clear", classes or 0o6777)
    if bits:
        yield Change("clear" if operator == "-" else "set", bits & reach)
    if conditional:
        yield Change("set-if-executable", conditional & reach)


def _copy(classes: int, operator: str, letter: str) -> Change:
    reach = (classes or 0o777) & 0o777
    kind: Kind = "copy=" if operator == "=" else "copy+" if operator == "+" else "copy-"
    return Change(kind, reach, _COPY_SHIFT[letter])


def _changed(mode: int, change: Change, *, executable: bool) -> int:
    match change.kind:
        case "set":
            return mode | change.bits
        case "clear":
            return mode & ~change.bits
        case "set-if-executable":
            return mode | change.bits if executable else mode
    copied = (mode >> change.source & 0o7) * 0o111 & change.bits
    if change.kind == "copy-":
        return mode & ~copied
    kept = mode & ~change.bits if change.kind == "copy=" else mode
    return kept | copied
