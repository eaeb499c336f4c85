"""Disks that are full: buildah's own messages often do not say so."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pytest_zlayer.buildah.failures import Failure, disk_full, disk_maybe_full

# Bytes: with less than this no record of a storage can be written any more.
_NOTHING_LEFT = 128 * 1024
# Files: as many as buildah itself gives back when it has failed.
_NO_FILES_LEFT = 32


def full_disk(places: Iterable[str | os.PathLike[str]]) -> Failure | None:
    """The failure that it is when one of these directories has no space left, or no files."""
    full = [os.fspath(place) for place in places if _is_full(place)]
    return disk_full(full) if full else None


def cramped_disk(places: Iterable[str | os.PathLike[str]]) -> Failure:
    """The failure of a command that needed more space than there was, and has given it back."""
    return disk_maybe_full({os.fspath(place): _free(place) for place in places})


def _is_full(place: str | os.PathLike[str]) -> bool:
    try:
        found = os.statvfs(place)
    except OSError:
        return False
    no_files = found.f_files > 0 and found.f_favail < _NO_FILES_LEFT
    return no_files or found.f_bavail * found.f_frsize < _NOTHING_LEFT


def _free(place: str | os.PathLike[str]) -> int:
    try:
        found = os.statvfs(place)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
