"""Which process holds a lock of the storage: buildah waits for it without a message."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_LOCKS = Path("/proc/locks")


def holder_hint(root: Path, locks: Path = _LOCKS) -> str | None:
    """A sentence on the process that holds a lock of this storage, ``None`` if nobody does."""
    files = {identity: name for name, identity in _lock_files(root)}
    for pid, identity in _held(locks):
        if identity in files and pid != os.getpid():
            name, state = _process(pid)
            return f"process {pid} ({name}{state}) holds {files[identity]} of the storage"
    return None


def _lock_files(root: Path) -> Iterator[tuple[str, tuple[int, int, int]]]:
    for file in (*root.glob("*.lock"), *root.glob("*/*.lock")):
        try:
            found = file.stat()
        except OSError:
            continue
        device = found.st_dev
        yield file.name, (os.major(device), os.minor(device), found.st_ino)


def _held(locks: Path) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Process and file of each lock that is held (not of those only waited for)."""
    try:
        lines = locks.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        if len(words) < 6 or words[1] == "->":
            continue
        major, minor, inode = words[5].split(":")
        yield int(words[4]), (int(major, 16), int(minor, 16), int(inode))


def _process(pid: int) -> tuple[str, str]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "gone", ""
    name = stat[stat.find("(") + 1 : stat.rfind(")")]
    stopped = stat.rpartition(")")[2].split()[0] in "Tt"
    return name, ", stopped" if stopped else ""
