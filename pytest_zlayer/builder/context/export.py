"""Writing part of a tree to a directory of this machine, for mounts that need a host path."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules


def export(rootfs: Rootfs, path: str, target: Path, ignore: IgnoreRules | None) -> None:
    """Write the file or directory ``path`` to ``target``, without what ``ignore`` excludes.

    Modes and times are kept, owners where this process may set them. Sockets are left out.
    """
    entry = rootfs.lstat(path)
    if entry.kind == "directory":
        target.mkdir()
        for name in rootfs.listdir(path):
            inside = f"{path.rstrip('/')}/{name}"
            if ignore is None or not _hopeless(rootfs, inside, ignore):
                export(rootfs, inside, target / name, ignore)
    elif ignore is None or not ignore.excludes(path.lstrip("/")):
        _write(rootfs, path, entry, target)
    else:
        return
    _set_facts(entry, target)


def _hopeless(rootfs: Rootfs, path: str, ignore: IgnoreRules) -> bool:
    """Whether neither this path nor anything below it can be wanted."""
    if not ignore.excludes(path.lstrip("/")):
        return False
    if rootfs.lstat(path).kind != "directory":
        return True
    return all(_hopeless(rootfs, f"{path}/{name}", ignore) for name in rootfs.listdir(path))


def _write(rootfs: Rootfs, path: str, entry: Entry, target: Path) -> None:
    match entry.kind:
        case "file":
            with rootfs.open(path) as reader, target.open("wb") as writer:
                shutil.copyfileobj(reader, writer)
        case "symlink":
            target.symlink_to(entry.target or "")
        case "fifo":
            os.mkfifo(target)
        case _:
            return


def _set_facts(entry: Entry, target: Path) -> None:
    if not target.is_symlink() and not target.exists():
        return
    if os.geteuid() == 0:
        os.chown(target, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind != "symlink":
        target.chmod(entry.mode)
    os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
