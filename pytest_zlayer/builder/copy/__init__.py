"""COPY and ADD: what they take (``select``), where it ends (``layout``), and for whom."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.copy.select import Fetch, Selection, Source, select
from pytest_zlayer.builder.model.errors import CopyError

if TYPE_CHECKING:
    from pytest_zlayer.builder.copy.place import layout, make_directory
    from pytest_zlayer.builder.copy.users import UserEntry, lookup_user, resolve_owner

__all__ = [
    "CopyError",
    "Fetch",
    "Selection",
    "Source",
    "UserEntry",
    "layout",
    "lookup_user",
    "make_directory",
    "resolve_owner",
    "select",
]

# Loaded when first asked for: an unchanged build only needs to know what would be copied.
_HOMES = {
    "UserEntry": "users",
    "layout": "place",
    "lookup_user": "users",
    "make_directory": "place",
    "resolve_owner": "users",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
