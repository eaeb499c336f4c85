"""COPY and ADD: what they take (``select``), where it ends (``layout``), and for whom."""

from __future__ import annotations

from pytest_zlayer.builder.copy.place import layout, make_directory
from pytest_zlayer.builder.copy.select import Fetch, Selection, Source, select
from pytest_zlayer.builder.copy.users import UserEntry, lookup_user, resolve_owner
from pytest_zlayer.builder.model.errors import CopyError

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
