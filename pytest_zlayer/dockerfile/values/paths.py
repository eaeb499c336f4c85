"""Paths as container tools clean them."""

from __future__ import annotations

import posixpath


def clean(path: str) -> str:
    """A path without ``.``, ``..`` and doubled slashes, as Go's ``path.Clean`` gives it."""
    cleaned = posixpath.normpath(path)
    # POSIX lets two leading slashes mean something else; container tools do not.
    return cleaned[1:] if cleaned.startswith("//") else cleaned
