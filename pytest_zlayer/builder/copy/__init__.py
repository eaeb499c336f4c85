"""COPY and ADD: what they take (``select``), where it ends (``layout``), who owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.copy.select import Fetch, Selection, Source, select
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.lazy import late_name

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
    return late_name(__name__, _HOMES, name)
