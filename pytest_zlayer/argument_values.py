"""One argument's value: converted to what a declaration holds, or refused in words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_zlayer.choices import NETWORK_MODES
from pytest_zlayer.errors import UsageError


def wrong(name: str, expected: str, value: Any) -> UsageError:
    return UsageError(f"{name} must be {expected}, not {value!r}")


def possible(name: str, text: str) -> str:
    """A text that files and commands can have.

    Raises:
        UsageError: it has a NUL, or half of a surrogate pair, which no encoding has bytes for.
    """
    try:
        if b"\0" in text.encode("utf-8", "surrogateescape"):
            raise UsageError(f"{name} must not contain a NUL character")
    except UnicodeEncodeError as error:
        half = ascii(text[error.start])
        raise UsageError(f"{name} must not contain {half}, half of a surrogate pair") from None
    return text


def path_text(name: str, value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise wrong(name, "a path", value)
    text = os.fspath(value)
    if not isinstance(text, str) or not text:
        raise wrong(name, "a path", value)
    return possible(name, text)


def as_path(name: str, value: Any) -> Path:
    return Path(path_text(name, value))


def as_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise wrong(name, "text", value)
    return possible(name, value)


def as_texts(name: str, value: Any) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, Sequence) or not all(isinstance(one, str) for one in values):
        raise wrong(name, "a list of texts", value)
    return tuple(possible(name, one) for one in values)


def as_bool(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, "True or False", value)
    return value


def as_count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(name, "a whole number", value)
    return value


def as_seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong(name, "a number of seconds", value)
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"{name} is too large a number of seconds") from None


def as_network(name: str, value: Any) -> str:
    if value not in NETWORK_MODES:
        raise wrong(name, f"one of {', '.join(NETWORK_MODES)}", value)
    return str(value)


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise wrong(name, "a mapping of names to values", value)
    for key in value:
        possible(f"a name in {name}", key)
    return value


def value_text(name: str, value: Any) -> str:
    """A build argument, label or matrix value as the text it stands for.

    Raises:
        UsageError: it is no text; a float would lose zeros (``3.10`` is ``3.1``).
    """
    if isinstance(value, str):
        return possible(name, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise UsageError(f"{name} must be text, not {value!r}", hint=f'write it in quotes, "{value}"')


def as_values(name: str, value: Any) -> dict[str, str]:
    return {key: value_text(f"{name}[{key!r}]", one) for key, one in mapping(name, value).items()}


def as_paths(name: str, value: Any) -> dict[str, str]:
    return {key: path_text(f"{name}[{key!r}]", one) for key, one in mapping(name, value).items()}
