"""Space beside the storage that is given up when its disk is full, so that it can be cleaned up.

buildah writes its records anew when it removes an image: without a free byte it cannot.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from pytest_zlayer.buildah.storage.info import StorageInfo

# Bytes: the records of a storage with hundreds of images, and a journal.
_SIZE = 1 << 20


def settle_reserve(storage: StorageInfo) -> None:
    """Gives it up where there is less free than it has; has it made where there is far more."""
    path = storage.state / "reserve"
    with suppress(OSError):
        free = shutil.disk_usage(storage.root).free
        if free < _SIZE:
            path.unlink()
        elif free > 4 * _SIZE:
            _make(path)


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with open(path, "ab") as file:
        if os.fstat(file.fileno()).st_blocks * 512 < _SIZE:
            os.posix_fallocate(file.fileno(), 0, _SIZE)
