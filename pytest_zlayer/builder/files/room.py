"""Whether a file fits on a disk: known before anything of it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

_WORTH_ASKING = 1 << 26  # bytes: for smaller files asking the disk each time costs more


def lacks_room(name: str, size: int, directory: Path) -> str | None:
    """Why a file of so many bytes cannot be written into ``directory``, or ``None``.

    It may say that it is far larger than any disk.
    """
    if size < _WORTH_ASKING:
        return None
    free = shutil.disk_usage(directory).free
    if size <= free:
        return None
    return f"{name} has {size} bytes, and only {free} are free in {directory}"
