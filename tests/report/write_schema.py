"""Writes the schema file anew, after a change of the model."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest_zlayer.report
from pytest_zlayer.report.json_file import FORMAT
from pytest_zlayer.report.model import VERSION, Run

SCHEMA = Path(pytest_zlayer.report.__file__).with_name("report.schema.json")
_UNIONS = (Union, types.UnionType)
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, made from the model."""
    kinds: dict[str, Any] = {}
    top = _object_schema(Run, kinds)
    fixed = {"format": {"const": FORMAT}, "version": {"const": VERSION}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://pytest-zlayer.readthedocs.io/schemas/report-v{VERSION}.json",
        "title": FORMAT,
        **top,
        "properties": {**fixed, **top["properties"]},
        "required": [*fixed, *top["required"]],
        "$defs": dict(sorted(kinds.items())),
    }


def _object_schema(kind: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    types_of = get_type_hints(kind)
    names = [one.name for one in dataclasses.fields(kind)]
    return {
        "type": "object",
        "description": (kind.__doc__ or "").split("\n\n")[0].replace("``", "`"),
        "properties": {name: _schema(types_of[name], kinds) for name in names},
        "required": names,
    }


def _schema(kind: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    origin, inside = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        name = getattr(kind, "__name__", "")
        if name not in kinds:
            kinds[name] = {}
            kinds[name] = _object_schema(kind, kinds)
        return {"$ref": f"#/$defs/{name}"}
    if origin is tuple:
        return {"type": "array", "items": _schema(inside[0], kinds)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if origin in _UNIONS:
        return {"anyOf": [_schema(one, kinds) for one in inside]}
    if origin is Literal:
        return {"enum": list(inside)}
    return {"type": _TYPES[kind]}


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
