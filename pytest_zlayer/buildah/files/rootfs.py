"""Reading the files of an image without running it."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from pytest_zlayer.buildah.agent.files.tree import Tree
from pytest_zlayer.dataclass import dataclass

EntryKind = Literal["file", "directory", "symlink", "character", "block", "fifo", "socket"]

# By the type bits of a mode.
KINDS: Mapping[int, EntryKind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "character",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a tree, whatever its kind.

    Attributes:
        kind: what it is.
        mode: permission bits with setuid, setgid and sticky (``0o7777``).
        uid, gid: owner, as numbers inside the image.
        size: bytes.
        mtime_ns: time of the last change, nanoseconds since the epoch.
        device: major and minor of a device node, else ``None``.
        inode: device and inode number: two names with the same are hard links of one file.
        links: number of names.
        target: where a symlink points, else ``None``.
    """

    kind: EntryKind
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    device: tuple[int, int] | None
    inode: tuple[int, int]
    links: int
    target: str | None


class Rootfs(Protocol):
    """A file tree, read only.

    Paths are absolute inside the tree (``/etc/passwd``; odd bytes as surrogate escapes). Links in
    the parents of a path are followed inside the tree, never out of it. Errors are those of the
    operating system: ``FileNotFoundError``, ``NotADirectoryError``, ``PermissionError``, and
    ``OSError`` with ``ELOOP`` for endless links.
    """

    def lstat(self, path: str) -> Entry:
        """The entry itself: a link at the end is not followed."""
        ...

    def listdir(self, path: str) -> list[str]:
        """The names in a directory, sorted by their bytes."""
        ...

    def open(self, path: str) -> BinaryIO:
        """A regular file for reading; a link at the end is not followed."""
        ...

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        """Extended attributes of the entry itself."""
        ...

    def resolve(self, path: str) -> str:
        """The path with all links followed; a tail that is not there is kept."""
        ...

    def exists(self, path: str) -> bool:
        """Whether the path, links followed, leads to anything."""
        ...


class LocalRootfs:
    """A tree this process can read directly."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tree = Tree(os.fspath(root))

    def lstat(self, path: str) -> Entry:
        return _entry(self._tree.lstat(path))

    def listdir(self, path: str) -> list[str]:
        return self._tree.listdir(path)

    def open(self, path: str) -> BinaryIO:
        return os.fdopen(self._tree.open(path), "rb")

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        return self._tree.xattrs(path)

    def resolve(self, path: str) -> str:
        return self._tree.resolve(path)

    def exists(self, path: str) -> bool:
        return _exists(self, path)


Asked = tuple[Any, Sequence[int]]


class AgentRootfs:
    """A tree only the agent can read: the mounted container of an ordinary user."""

    def __init__(self, root: Path, ask: Callable[[str, str, str], Asked]) -> None:
        self.root = root
        self._ask = ask

    def lstat(self, path: str) -> Entry:
        return _entry(self._value("lstat", path))

    def listdir(self, path: str) -> list[str]:
        names: list[str] = self._value("listdir", path)
        return names

    def open(self, path: str) -> BinaryIO:
        descriptors = self._ask("open", os.fspath(self.root), path)[1]
        return os.fdopen(descriptors[0], "rb")

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        found: dict[str, str] = self._value("xattrs", path)
        return {name: base64.b64decode(value) for name, value in found.items()}

    def resolve(self, path: str) -> str:
        resolved: str = self._value("resolve", path)
        return resolved

    def exists(self, path: str) -> bool:
        return _exists(self, path)

    def _value(self, question: str, path: str) -> Any:
        return self._ask(question, os.fspath(self.root), path)[0]


def _exists(rootfs: Rootfs, path: str) -> bool:
    try:
        rootfs.lstat(rootfs.resolve(path))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _entry(found: Sequence[Any]) -> Entry:
    mode, uid, gid, size, mtime_ns, rdev, dev, ino, nlink, target = found
    kind = KINDS[stat.S_IFMT(mode)]
    is_device = kind in ("character", "block")
    return Entry(
        kind=kind,
        mode=stat.S_IMODE(mode),
        uid=uid,
        gid=gid,
        size=size,
        mtime_ns=mtime_ns,
        device=(os.major(rdev), os.minor(rdev)) if is_device else None,
        inode=(dev, ino),
        links=nlink,
        target=target,
    )
