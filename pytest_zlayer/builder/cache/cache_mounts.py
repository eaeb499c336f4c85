"""The directories that RUN cache mounts keep between builds."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_zlayer.builder.cache.lock_file import lock_file, remove_if_free
from pytest_zlayer.builder.cache.uses import moment_of

# Of its lock, of the lock while it is made, and what is not made yet; of its last use.
_UNFINISHED = (".lock", ".making", ".new")
_NOTES = (*_UNFINISHED, ".used")


@dataclass(frozen=True, slots=True)
class MountEntry:
    """One of them; ``used``: its last use, seconds since the epoch; ``size`` in bytes."""

    path: Path
    used: float
    size: int


def note_use(directory: Path) -> None:
    """Note that a cache mount is used now; its directory may belong to another user."""
    with contextlib.suppress(OSError):
        Path(f"{directory}.used").touch()


def mount_entries(mounts: Path) -> list[MountEntry]:
    """All of them, least recently used first."""
    found = [
        MountEntry(one, _used(one), _size(one))
        for one in mounts.iterdir()
        if not one.name.endswith(_NOTES) and one.is_dir()
    ]
    return sorted(found, key=lambda entry: entry.used)


def _used(directory: Path) -> float:
    for one in (Path(f"{directory}.used"), directory):
        with contextlib.suppress(OSError):
            return moment_of(one)
    return time.time()


def _size(directory: Path) -> int:
    """Bytes of what can be read of it."""
    total = 0
    for parent, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def shrink_mounts(
    mounts: Path,
    remove: Callable[[Sequence[str]], Any],
    *,
    max_age: float,
    max_size: int,
    others_began: Sequence[float] = (),
) -> list[MountEntry]:
    """Remove cache mounts by age, then by size, the least recently used first; what was removed.

    Args:
        mounts: where they lie.
        remove: runs a program where every file and owner is within reach.
        max_age: seconds without use after which one goes.
        max_size: bytes that may stay.
        others_began: when other living sessions began: what was used since then stays.
    """
    _remove_left(mounts, remove)
    entries, now = mount_entries(mounts), time.time()
    free = min(others_began, default=math.inf)
    total, removed = sum(entry.size for entry in entries), []
    for entry in entries:
        beyond = total > max_size or now - entry.used > max_age
        if beyond and entry.used < free and _remove(entry.path, remove):
            removed.append(entry)
            total -= entry.size
    return removed


def _remove(path: Path, remove: Callable[[Sequence[str]], Any]) -> bool:
    """Remove one unless a RUN holds it; whether it is gone."""
    with lock_file(Path(f"{path}.lock")) as lock:
        if not lock.acquire():
            return False
        _remove_tree(path, remove)
        Path(f"{path}.used").unlink(missing_ok=True)
        return not path.exists()


def _remove_tree(path: Path, remove: Callable[[Sequence[str]], Any]) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():  # files of other users
        remove(("rm", "-rf", str(path)))


def mounts_are_left(mounts: Path) -> bool:
    """Whether there are locks or caches half made: of killed processes, or of other living ones."""
    return any(one.suffix in _UNFINISHED for one in mounts.iterdir())


def _remove_left(mounts: Path, remove: Callable[[Sequence[str]], Any]) -> None:
    """Remove what killed processes have left: locks, caches half made, notes of none."""
    for one in sorted(mounts.iterdir()):
        if one.suffix in (".lock", ".making"):
            remove_if_free(one)
        elif one.suffix == ".used" and not one.with_suffix("").exists():
            one.unlink(missing_ok=True)
        elif one.suffix == ".new":
            with lock_file(one.with_suffix(".making")) as lock:
                if lock.acquire():
                    _remove_tree(one, remove)
