"""Paths and directory listings of file trees, read through ``Rootfs``."""

from __future__ import annotations

import errno
import os
import posixpath
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, Protocol, runtime_checkable

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs
from pytest_zlayer.dataclass import dataclass

# As many links as BuildKit's path resolution follows before it gives up.
MOST_LINKS = 255


@dataclass(frozen=True, slots=True)
class Found:
    """A name in a directory with what is behind it.

    ``changed_ns`` is the inode's change time in nanoseconds, 0 where the tree cannot tell.
    """

    name: str
    entry: Entry
    changed_ns: int = 0


@runtime_checkable
class Scannable(Protocol):
    """A tree that tells entries with their change times, those of a directory in one go."""

    def scan(self, path: str) -> list[Found]:
        """The entries of a directory, sorted by the bytes of their names."""
        ...

    def find(self, path: str) -> Found:
        """The entry at a path; a link at its end is not followed."""
        ...


def find(rootfs: Rootfs, path: str) -> Found:
    """The entry at ``path``; a link at its end is not followed."""
    if isinstance(rootfs, Scannable):
        return rootfs.find(path)
    return Found(posixpath.basename(path), rootfs.lstat(path))


def scan(rootfs: Rootfs, path: str) -> list[Found]:
    """The entries of the directory ``path``, sorted by the bytes of their names."""
    if isinstance(rootfs, Scannable):
        try:
            return rootfs.scan(path)
        except OSError as error:  # raised with the whole path, which the system call did not see
            raise OSError(error.errno, error.strerror, path) from error
    names = rootfs.listdir(path)
    return [Found(name, rootfs.lstat(join(path, name))) for name in names]


def join(parent: str, name: str) -> str:
    """``name`` below the absolute path ``parent``; the parent itself for an empty name."""
    if not name:
        return parent
    return f"/{name}" if parent == "/" else f"{parent}/{name}"


def clean(path: str) -> str:
    """``path`` taken as absolute, without ``.``, ``..``, doubled or trailing slashes."""
    return posixpath.normpath("/" + path.lstrip("/"))


def components(path: str) -> list[str]:
    """The names in a clean absolute path."""
    return path[1:].split("/") if len(path) > 1 else []


def sort_key(path: str) -> list[bytes]:
    """Orders paths so that parents come first and siblings follow their bytes."""
    return os.fsencode(path).split(b"/")


def look(rootfs: Rootfs, path: str) -> Entry | None:
    """The entry at ``path``, last link not followed, or ``None`` when nothing is there."""
    try:
        return rootfs.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


class HasLink(Protocol):
    """What link resolution asks of an entry."""

    @property
    def kind(self) -> str: ...

    @property
    def target(self) -> str | None: ...


def follow(lstat: Callable[[str], HasLink | None], path: str) -> str:
    """``path`` with every link followed inside the tree that ``lstat`` shows.

    A tail that does not exist is kept; ``..`` never leaves the root.

    Raises:
        OSError: ``ELOOP``, endless links.
    """
    here = "/"
    pending = deque(path.split("/"))
    links = 0
    while pending:
        name = pending.popleft()
        if name in ("", "."):
            continue
        if name == "..":
            here = posixpath.dirname(here)
            continue
        entry = lstat(join(here, name))
        if entry is None or entry.kind != "symlink" or entry.target is None:
            here = join(here, name)
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if entry.target.startswith("/"):
            here = "/"
        pending.extendleft(reversed(entry.target.split("/")))
    return here


class EmptyRootfs:
    """A tree without any file: ``scratch``."""

    def lstat(self, path: str) -> Entry:
        if clean(path) == "/":
            return Entry("directory", 0o755, 0, 0, 0, 0, None, (0, 0), 2, None)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def listdir(self, path: str) -> list[str]:
        self.lstat(path)
        return []

    def open(self, path: str) -> BinaryIO:
        self.lstat(path)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)

    def xattrs(self, path: str) -> dict[str, bytes]:
        self.lstat(path)
        return {}

    def resolve(self, path: str) -> str:
        return clean(path)

    def exists(self, path: str) -> bool:
        return clean(path) == "/"
