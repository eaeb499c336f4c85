"""Files of variables (``envFile``), as the original tool reads them: with godotenv's rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from pytest_zlayer.checks.structure.model import StructureError

# Spaces and comments before a variable; its name; what stands between name and value.
_BETWEEN = re.compile(r"(?:\s|#[^\n]*)*")
_NAME = re.compile(r"(?:export[ \t]+)?([\w.]+)[ \t]*[=:][ \t]*", re.ASCII)
_QUOTED = re.compile(r"'((?:\\'|[^'])*)'|\"((?:\\\"|[^\"])*)\"")
_PLAIN = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"\s#.*")
_VARIABLE = re.compile(r"(\\)?\$(\()?\{?([A-Z0-9_]*)\}?")
_ESCAPED = re.compile(r"\\([^$])", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r"}


def read_env_file(text: str, file: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a file by name.

    Args:
        text: its content.
        file: its path as people know it.
        environment: values of variables that earlier lines do not set, for ``$NAME``.

    Raises:
        StructureError: a line sets no variable, or a quote is not closed; with its place.
    """
    text = text.replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = _end(_BETWEEN, text, 0)
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            _refuse(text, file, at, "no variable is set here", hint="write NAME=value")
        value, at = _value(text, file, name.end(), {**environment, **found})
        found[name[1]] = value
        at = _end(_BETWEEN, text, at)
    return found


def _value(text: str, file: str, at: int, known: Mapping[str, str]) -> tuple[str, int]:
    """A value, and where it ends."""
    if text[at : at + 1] not in ("'", '"'):
        line = text[at : _end(_PLAIN, text, at)]
        return _expanded(_COMMENT.sub("", line, count=1).strip(), known), at + len(line)
    quoted = _QUOTED.match(text, at)
    if quoted is None:
        _refuse(text, file, at, "the quote is not closed")
    if quoted[1] is not None:
        return quoted[1], quoted.end()
    plain = _ESCAPED.sub(lambda one: _LETTERS.get(one[1], one[1]), quoted[2])
    return _expanded(plain, known), quoted.end()


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """``$NAME`` and ``${NAME}`` replaced, but not after a backslash, and not ``$(…)``."""

    def value(found: re.Match[str]) -> str:
        if found[1] or found[2]:
            return found[0].removeprefix("\\")
        return known.get(found[3], "") if found[3] else found[0]

    return _VARIABLE.sub(value, text)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _refuse(text: str, file: str, at: int, problem: str, *, hint: str | None = None) -> NoReturn:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    raise StructureError(f"{file}:{line}:{column}: {problem}", hint=hint)
