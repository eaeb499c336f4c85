"""Which flags each instruction takes, and reading them by BuildKit's rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.values.suggest import suggest
from pytest_zlayer.dockerfile.written import Flag

Kind = Literal["text", "texts", "bool"]

FLAGS: Mapping[str, Mapping[str, Kind]] = {
    "FROM": {"platform": "text"},
    "ADD": {
        "chown": "text",
        "chmod": "text",
        "link": "bool",
        "keep-git-dir": "bool",
        "checksum": "text",
        "unpack": "bool",
        "exclude": "texts",
    },
    "COPY": {
        "from": "text",
        "chown": "text",
        "chmod": "text",
        "link": "bool",
        "parents": "bool",
        "exclude": "texts",
    },
    "RUN": {"mount": "texts", "network": "text", "security": "text", "device": "texts"},
    "HEALTHCHECK": {
        "interval": "text",
        "timeout": "text",
        "start-period": "text",
        "start-interval": "text",
        "retries": "text",
    },
}
"""Flags that may be given by instruction; an instruction that is not listed takes none."""

_BOOLEANS = {"": True, "true": True, "false": False}


class InstructionError(Exception):
    """An instruction that does not make sense; ``span`` is the part to blame."""

    def __init__(self, message: str, span: Span, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint


class FlagValues:
    """The flags of one instruction, checked against what it takes."""

    __slots__ = ("_given",)

    def __init__(self, given: Mapping[str, list[Flag]]) -> None:
        self._given = given

    def text(self, name: str) -> Word | None:
        """A flag's value where it stands; ``None`` when it is missing or empty."""
        word = self.given(name)
        return word if word is not None and word.value else None

    def given(self, name: str) -> Word | None:
        """A flag's value, even an empty one; ``None`` when it is missing."""
        flags = self._given.get(name)
        return _value(flags[0]) if flags else None

    def texts(self, name: str) -> tuple[Word, ...]:
        """All values of a flag that may be repeated."""
        return tuple(_value(flag) for flag in self._given.get(name, ()))

    def switch(self, name: str) -> bool | None:
        """A boolean; ``None`` when it is missing."""
        flags = self._given.get(name)
        return _BOOLEANS[(flags[0].value or "").lower()] if flags else None


_NO_FLAGS: Mapping[str, Kind] = {}
_NONE_GIVEN = FlagValues({})


def read_flags(name: str, flags: Iterable[Flag]) -> FlagValues:
    """The flags of an instruction of that name.

    Raises:
        InstructionError: the first one that is unknown, repeated or lacks a proper value.
    """
    if not flags:
        return _NONE_GIVEN
    known = FLAGS.get(name, _NO_FLAGS)
    given: dict[str, list[Flag]] = {}
    for flag in flags:
        _check(name, flag, known, given)
        given.setdefault(flag.name, []).append(flag)
    return FlagValues(given)


def _check(
    name: str, flag: Flag, known: Mapping[str, Kind], given: Mapping[str, list[Flag]]
) -> None:
    kind = known.get(flag.name)
    if kind is None:
        raise _unknown(name, flag, known)
    if flag.name in given and kind != "texts":
        raise InstructionError(f"duplicate flag specified: --{flag.name}", flag.span)
    if (flag.value is None and kind != "bool") or (flag.value == "" and kind == "bool"):
        raise InstructionError(f"missing a value on flag: --{flag.name}", flag.span)
    if kind == "bool" and (flag.value or "").lower() not in _BOOLEANS:
        raise InstructionError(
            f"expecting boolean value for flag --{flag.name}, not: {flag.value}", flag.span
        )


def _unknown(name: str, flag: Flag, known: Mapping[str, Kind]) -> InstructionError:
    near = suggest(flag.name, known)
    message = f"unknown flag: --{flag.name}" + (f" (did you mean {near}?)" if near else "")
    takes = ", ".join(f"--{one}" for one in known) or "no flags"
    return InstructionError(message, flag.span, hint=f"{name} takes {takes}")


def _value(flag: Flag) -> Word:
    """What follows the ``=``, with its own span as far as quoting left it where it was."""
    value, span = flag.value or "", flag.span
    if flag.raw == f"--{flag.name}={value}" and span.line == span.end_line:
        start = span.column + len(flag.name) + 3
        if start + len(value) == span.end_column:
            span = Span(span.line, start, span.line, span.end_column)
    return Word(value, span)
