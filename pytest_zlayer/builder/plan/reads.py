"""What an operation reads, as plain values for its cache key: every field, unless named here.

A field at its default says nothing, so that keys stay the same when a flag is added. Classes stand
under tags of their own: moving or renaming one changes no key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from pytest_zlayer.dockerfile.operations.kinds import (
    CopyOperation,
    RunOperation,
    SourceRef,
)
from pytest_zlayer.dockerfile.written import Heredoc

SourceKey = Callable[[SourceRef, str], str]
"""Gives the key of what a COPY or mount takes its files from: ``(source, path) -> key``."""

# Where it stands in the Dockerfile; what is in another field already.
_NOT_READ_BY_RUN = {"instruction", "span", "args"}
_NOT_READ_BY_COPY = {"instruction", "span", "workdir", "from_", "sources"}


def run_reads(operation: RunOperation, source_key: SourceKey) -> list[Any]:
    """What a RUN reads besides the files below it."""
    return ["RUN", *_fields(operation, _NOT_READ_BY_RUN, source_key)]


def copy_reads(operation: CopyOperation, content: str) -> list[Any]:
    """What a COPY or ADD reads; ``content`` stands for the files it takes."""
    return [*_fields(operation, _NOT_READ_BY_COPY, _no_source), content]


def _fields(value: Any, left_out: set[str], source_key: SourceKey) -> list[Any]:
    read = [one for one in fields(value) if one.name not in left_out]
    found = {one.name: getattr(value, one.name) for one in read}
    given = [one.name for one in read if _says_something(one, found[one.name])]
    return [[name, _plain(found[name], value, source_key)] for name in sorted(given)]


def _says_something(field: Field[Any], value: Any) -> bool:
    return isinstance(value, SourceRef) or bool(value != _default(field))


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _plain(value: Any, owner: Any, source_key: SourceKey) -> Any:
    """A value made of what JSON has; ``owner`` is what has it as a field."""
    match value:
        case None | str() | int() | float():
            return value
        case bytes():
            return value.decode("latin-1")
        case SourceRef():
            return source_key(value, owner.source)
        case Heredoc():
            return value.text
        case Mapping():
            return [[key, _plain(one, value, source_key)] for key, one in sorted(value.items())]
        case tuple() | list():
            return [_plain(one, value, source_key) for one in value]
    if is_dataclass(value) and (tag := vars(type(value)).get("tag")) is not None:
        return [tag, *_fields(value, set(), source_key)]
    raise TypeError(f"{type(value).__name__} has no tag for cache keys")


def _no_source(source: SourceRef, path: str) -> str:
    raise AssertionError(f"{source} {path} stands in the content")  # pragma: no cover
