"""The upper directory of an overlay: what a container has changed on its image, and changing it.

A script of the agent, like its neighbours: standard library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

# What overlayfs notes for itself.
_OF_OVERLAY = ("trusted.overlay.", "user.overlay.")
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
# What layers carry; the rest (labels of the machine, its access lists) stays where it is.
_KEPT = ("user.", "security.capability", "security.ima")
# With these a file of the upper directory is not all there is to know about it.
_UNREADABLE = ("metacopy=on", "redirect_dir=on")


def upper_of(root: str) -> str | None:
    """The upper directory of the container mounted at ``root``.

    ``None`` when it does not hold the whole truth, or is not there: other storage drivers,
    FUSE, an overlay that keeps content or names elsewhere.
    """
    upper = os.path.join(os.path.dirname(root), "diff")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        # Later mounts cover earlier ones.
        mounts = [line.split() for line in file]
    for fields in reversed(mounts):
        if fields[4] != root.replace(" ", "\\040"):
            continue
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        plain = kind == "overlay" and not any(one in options.split(",") for one in _UNREADABLE)
        return upper if plain and os.path.isdir(upper) else None
    return None


def scan(directory: str) -> list[list[Any]]:
    """Everything in an upper directory, parents first.

    Each is ``[path, mode, uid, gid, size, mtime_ns, ctime_ns, rdev, inode, link target, opaque,
    extended attributes]``, the last ones as pairs of text (bytes as Latin-1).
    """
    return list(_scan(directory, "/", os.lstat(f"{directory}/")))


def _scan(directory: str, path: str, status: os.stat_result) -> Iterator[list[Any]]:
    here = directory + path
    yield _facts(here, path, status)
    for name in sorted(os.listdir(here), key=os.fsencode):
        below = f"{path.rstrip('/')}/{name}"
        found = os.lstat(directory + below)
        if stat.S_ISDIR(found.st_mode):
            yield from _scan(directory, below, found)
        else:
            yield _facts(directory + below, below, found)


def _facts(here: str, path: str, found: os.stat_result) -> list[Any]:
    is_link = stat.S_ISLNK(found.st_mode)
    target = os.readlink(here) if is_link else None
    names = [] if is_link else os.listxattr(here, follow_symlinks=False)
    opaque = any(name in _OPAQUE for name in names)
    attributes = [
        [name, os.getxattr(here, name, follow_symlinks=False).decode("latin-1")]
        for name in sorted(names)
        if name.startswith(_KEPT) and not name.startswith(_OF_OVERLAY)
    ]
    return [
        path, found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns,
        found.st_ctime_ns, found.st_rdev, found.st_ino, target, opaque, attributes,
    ]  # fmt: skip
