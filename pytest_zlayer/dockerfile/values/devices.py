"""The value of ``RUN --device``."""

from __future__ import annotations

from pytest_zlayer.dockerfile.values.csvline import csv_fields
from pytest_zlayer.dockerfile.values.scalars import parse_bool
from pytest_zlayer.dockerfile.values.suggest import suggest


def check_device(raw: str) -> None:
    """Whether a value names a device: ``name[,required[=bool]]``.

    Raises:
        ValueError: BuildKit's text.
    """
    try:
        fields = csv_fields(raw)
    except ValueError as error:
        raise ValueError(f"failed to parse csv devices: {error}") from error
    name = ""
    for field in fields:
        name = _read_field(field, name)


def _read_field(field: str, name: str) -> str:
    """The device's name after one more field."""
    key, equals, value = field.partition("=")
    key = key.lower()
    if key == "required":
        _check_required(value if equals else "true")
        return name
    if key == "name" and equals:
        if name:
            raise ValueError(f"device name already set to {name}")
        return value
    if not name:
        return field
    if not equals:
        raise ValueError(f"invalid field '{field}' must be a key=value pair")
    near = suggest(key, ("name", "required"))
    meant = f" (did you mean {near}?)" if near else ""
    raise ValueError(f"unexpected key '{key}' in '{field}'{meant}")


def _check_required(value: str) -> None:
    try:
        parse_bool(value)
    except ValueError as error:
        raise ValueError(f"invalid value for required: {value}") from error
