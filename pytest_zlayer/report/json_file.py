"""The model of a run as a JSON file, and back; ``report.schema.json`` describes the file."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pytest_zlayer.errors import UsageError
from pytest_zlayer.report.model import VERSION, Run

FORMAT = "pytest-zlayer report"
_UNIONS = (Union, types.UnionType)


def to_json(run: Run) -> str:
    """The text of the file; the same run gives the same text."""
    data = {"format": FORMAT, "version": VERSION, **_plain(run)}
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def read_json(path: Path) -> Run:
    """The run of a file.

    Raises:
        UsageError: it cannot be read, is no such file, or one of a newer version.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as problem:
        raise UsageError(f"cannot read {path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise UsageError(f"{path}: not JSON: {problem}", hint=_HINT) from problem
    if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
        raise UsageError(f"{path}: not a report of pytest-zlayer", hint=_HINT)
    version = data.pop("version", None)
    if version != VERSION:
        raise UsageError(
            f"{path}: a report of version {version!r}; this pytest-zlayer reads {VERSION}",
            hint="write and read reports with the same version of pytest-zlayer",
        )
    try:
        made: Run = _read(Run, data, "")
    except _Wrong as wrong:
        raise UsageError(f"{path}: {wrong}", hint=_HINT) from wrong
    return made


_HINT = "it reads what pytest --zlayer-report FILE.json has written"


class _Wrong(ValueError):
    """A value of the file is not what it should be."""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 4)
    # What a step writes need not be text; a lone surrogate is no character of any JSON reader.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _read(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _read_object(kind, value, where)
    if origin is tuple and isinstance(value, list):
        (of, _) = get_args(kind)
        return tuple(_read(of, one, f"{where}[{number}]") for number, one in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {str(name): str(one) for name, one in value.items()}
    if origin in _UNIONS and value is None and type(None) in get_args(kind):
        return None
    if origin in _UNIONS:
        return _read(next(one for one in get_args(kind) if one is not type(None)), value, where)
    if origin is Literal and value in get_args(kind):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and type(value) is kind:
        return value
    raise _Wrong(f"{where.lstrip('.')}: unexpected {value!r:.60}")


def _read_object(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _Wrong(f"{where.lstrip('.') or 'top'}: expected an object, not {value!r:.60}")
    types_of = get_type_hints(kind)
    values = {
        one.name: _read(types_of[one.name], value[one.name], f"{where}.{one.name}")
        for one in dataclasses.fields(kind)
        if one.name in value
    }
    try:
        return kind(**values)
    except TypeError as problem:
        raise _Wrong(f"{where.lstrip('.') or 'top'}: {problem}") from problem
