"""The flags of instructions, read by BuildKit's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pytest_zlayer.dockerfile.declared_flags import FlagDeclaration, flags_of, written_name
from pytest_zlayer.dockerfile.instructions import Add, Copy, From, HealthProbe, Run
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.values.suggest import suggest
from pytest_zlayer.dockerfile.written import Flag

_Value = TypeVar("_Value")
_DECLARED: Mapping[str, type] = {
    "FROM": From,
    "ADD": Add,
    "COPY": Copy,
    "RUN": Run,
    "HEALTHCHECK": HealthProbe,
}
FLAGS: Mapping[str, Mapping[str, FlagDeclaration]] = {
    keyword: {written_name(field, one): one for field, one in flags_of(holder).items()}
    for keyword, holder in _DECLARED.items()
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

    def texts(self, name: str) -> tuple[Word, ...]:
        """All values of a flag where they stand."""
        return tuple(_value(flag) for flag in self._given.get(name, ()))

    def fields_of(self, holder: type) -> dict[str, Any]:
        """The fields of ``holder`` that flags declare, as far as their flags are given.

        Raises:
            InstructionError: a value cannot be converted.
        """
        found: dict[str, Any] = {}
        for field, declaration in flags_of(holder).items() if self._given else ():
            flags = self._given.get(written_name(field, declaration))
            if flags:
                found[field] = _field_value(declaration, flags)
        return found


def _field_value(declaration: FlagDeclaration, flags: list[Flag]) -> Any:
    if declaration.kind == "bool":
        return _BOOLEANS[(flags[0].value or "").lower()]
    words = tuple(_value(flag) for flag in flags)
    if declaration.kind == "texts":
        return words
    if declaration.convert is not None:
        return converted(words[0], declaration.convert)
    return words[0] if words[0].value else None


def converted(word: Word, convert: Callable[[str], _Value]) -> _Value:
    """What ``convert`` makes of a word.

    Raises:
        InstructionError: the text of its ``ValueError``, with the word to blame.
    """
    try:
        return convert(word.value)
    except ValueError as error:
        raise InstructionError(str(error), word.span) from error


_NO_FLAGS: Mapping[str, FlagDeclaration] = {}
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
    name: str, flag: Flag, known: Mapping[str, FlagDeclaration], given: Mapping[str, list[Flag]]
) -> None:
    declaration = known.get(flag.name)
    if declaration is None:
        raise _unknown(name, flag, known)
    kind = declaration.kind
    if flag.name in given and kind != "texts":
        raise InstructionError(f"duplicate flag specified: --{flag.name}", flag.span)
    if (flag.value is None and kind != "bool") or (flag.value == "" and kind == "bool"):
        raise InstructionError(f"missing a value on flag: --{flag.name}", flag.span)
    if kind == "bool" and (flag.value or "").lower() not in _BOOLEANS:
        raise InstructionError(
            f"expecting boolean value for flag --{flag.name}, not: {flag.value}", flag.span
        )


def _unknown(name: str, flag: Flag, known: Mapping[str, FlagDeclaration]) -> InstructionError:
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
