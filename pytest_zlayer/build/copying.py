"""COPY and ADD: what they take (``select``), where it ends (``layout``), and for whom."""

from __future__ import annotations

from pytest_zlayer.build.copy_error import CopyError
from pytest_zlayer.build.placing import layout, make_directory
from pytest_zlayer.build.selection import Fetch, Selection, Source, select
from pytest_zlayer.build.users import UserEntry, lookup_user, resolve_owner

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
