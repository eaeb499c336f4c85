"""Writing part of a tree to a directory of this machine, for mounts that need a host path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs
from pytest_zlayer.builder.copy.walk import Filters, Presence, walk
from pytest_zlayer.builder.files.room import lacks_room
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules

_CHUNK = 1 << 20


def export(
    rootfs: Rootfs,
    path: str,
    target: Path,
    ignore: IgnoreRules | None,
    check: Callable[[], None] = go_on,
) -> None:
    """Write the file or directory ``path`` to ``target``, without what ``ignore`` excludes.

    Modes and times are kept, owners where this process may set them. Sockets are left out.
    ``check`` raises when this is to stop.
    """
    made: list[tuple[Entry, Path]] = []
    for node in walk(Presence(rootfs, ignore, check), path, Filters()):
        place = target / node.path if node.path else target
        if node.entry.kind == "directory":
            place.mkdir()
            made.append((node.entry, place))
        else:
            _write(rootfs, node.place, node.entry, place, check)
            _set_facts(node.entry, place)
    if not made and rootfs.lstat(path).kind == "directory":
        target.mkdir()  # nothing in it is wanted
    for entry, place in reversed(made):  # a directory that is read-only is filled first
        _set_facts(entry, place)


def _write(
    rootfs: Rootfs, path: str, entry: Entry, target: Path, check: Callable[[], None]
) -> None:
    match entry.kind:
        case "file":
            problem = lacks_room(path, entry.size, target.parent)
            if problem is not None:
                raise CopyError(problem, hint="set TMPDIR to a directory on a larger disk")
            with rootfs.open(path) as reader, target.open("wb") as writer:
                while chunk := reader.read(_CHUNK):
                    check()
                    writer.write(chunk)
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
