"""A flag, declared once: by the field of the instruction that holds its value.

The parser takes from the declaration how the flag is read and checked, the dispatcher whether its
value is expanded. A field of the operation with the same name gets the value, and the cache key
takes it from there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import field, fields
from typing import Any, Literal, cast

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.source import Word

Kind = Literal["text", "texts", "bool"]


@dataclass(frozen=True, slots=True)
class FlagDeclaration:
    """How a flag is read.

    Attributes:
        kind: ``text`` takes a value, ``texts`` too and may be repeated, ``bool`` is a switch.
        name: as it is written, without the dashes; empty: the name of its field.
        expand: variables in the value are expanded.
        check: raises ``ValueError`` for a wrong value of a flag that is expanded.
        convert: makes of the text what the field holds, or raises ``ValueError``.
    """

    kind: Kind
    name: str = ""
    expand: bool = False
    check: Callable[[str], object] | None = None
    convert: Callable[[str], object] | None = None


def text_flag(*, expand: bool = False, check: Callable[[str], object] | None = None) -> Any:
    """A field of type ``Word | None``; an empty value counts as none."""
    return _declared(FlagDeclaration("text", expand=expand, check=check), None)


def value_flag(convert: Callable[[str], object], default: object = None) -> Any:
    """A field with what ``convert`` makes of the value, which may be empty."""
    return _declared(FlagDeclaration("text", convert=convert), default)


def text_flags(name: str = "") -> Any:
    """A field of type ``tuple[Word, ...]``."""
    return _declared(FlagDeclaration("texts", name), ())


def switch_flag(*, default: bool | None = False) -> Any:
    """A field of type ``bool``, or ``bool | None`` where it counts whether the flag is given."""
    return _declared(FlagDeclaration("bool"), default)


def _declared(declaration: FlagDeclaration, default: object) -> Any:
    return field(default=default, metadata={FlagDeclaration: declaration})


def flags_of(holder: type) -> Mapping[str, FlagDeclaration]:
    """The declared flags of a class, by the field that holds them."""
    return _flags_of(cast("Hashable", holder))


@functools.cache
def _flags_of(holder: Any) -> Mapping[str, FlagDeclaration]:
    declared = ((one.name, one.metadata.get(FlagDeclaration)) for one in fields(holder))
    return {name: declaration for name, declaration in declared if declaration is not None}


def written_name(field_name: str, declaration: FlagDeclaration) -> str:
    """What a flag is called in a Dockerfile, without the dashes: ``from_`` is ``from``."""
    return declaration.name or field_name.rstrip("_").replace("_", "-")


def given_flags(instruction: object, *, without: Collection[str]) -> dict[str, Any]:
    """The values of flags that were given, by field, as plain values.

    Args:
        instruction: an instruction, expanded.
        without: fields that are left out.
    """
    names = [name for name in flags_of(type(instruction)) if name not in without]
    values = {name: _plain(getattr(instruction, name)) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    return value.value if isinstance(value, Word) else value
