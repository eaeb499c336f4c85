"""Removing files beside the storage whose writer was killed before they had their final name."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.lazy import late_pattern

# Seconds after which nobody can be about to finish a file, whatever process has its number by now.
_LONGEST = 60.0
_WRITER = late_pattern(r"\.(\d+)(?:\.new)?\Z")


def remove_unfinished(storage: StorageInfo) -> None:
    """Removes unfinished journals and unfinished answers about the binary."""
    for file in _unfinished(storage):
        with suppress(OSError):
            if _is_abandoned(file):
                file.unlink()


def _unfinished(storage: StorageInfo) -> Iterator[Path]:
    yield from storage.sessions.glob("*.new")
    yield from storage.state.glob("answers.json.*")
    yield from storage.state.glob("storage.json.*")


def _is_abandoned(file: Path) -> bool:
    writer = _WRITER.search(file.name)
    is_old = time.time() - file.lstat().st_mtime > _LONGEST
    return is_old or writer is None or not os.path.exists(f"/proc/{writer[1]}")
