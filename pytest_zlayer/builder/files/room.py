"""Whether a file fits on a disk: known before anything of it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

NO_ROOM_HINT = "leave it out (.dockerignore), or set TMPDIR to a directory on a larger disk"
WORTH_ASKING = 1 << 26  # bytes: for smaller files asking the disk each time costs more


def lacks_room(name: str, size: int, directory: Path) -> str | None:
    """Why a file of so many bytes cannot be written into ``directory``, or ``None``.

    It may say that it is far larger than any disk.
    """
    if size < WORTH_ASKING:
        return None
    free = shutil.disk_usage(directory).free
    if size <= free:
        return None
    return f"{name} has {size} bytes, and only {free} are free in {directory}"


def exceeds_disks(name: str, size: int, *places: Path) -> str | None:
    """Why no file of so many bytes can be on the disks of any of ``places``, or ``None``."""
    largest = max(shutil.disk_usage(place).total for place in places)
    if size <= largest:
        return None
    return f"{name} has {size} bytes, and no disk here holds more than {largest}"
