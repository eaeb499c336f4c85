"""Trees on this machine's disks, read one directory after the other."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pytest_zlayer.buildah.files.rootfs import KINDS, Entry, LocalRootfs
from pytest_zlayer.builder.files.paths import Found, clean, components

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK a pipe put in the place of a file would hold us up for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OpenDirectories:
    """The directory each thread opened last: files are read one directory after the other."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._generation = 0

    def get(self, path: str, opener: Callable[[str], int]) -> int:
        """A descriptor of the directory, good until this thread asks for another one."""
        last: _OpenDirectory | None = getattr(self._local, "last", None)
        if last is None or last.path != path or last.generation != self._generation:
            last = _OpenDirectory(path, opener(path), self._generation)
            self._local.last = last
        return last.descriptor

    def forget(self) -> None:
        """Look anew: the tree may have changed since."""
        self._generation += 1


class _OpenDirectory:
    def __init__(self, path: str, descriptor: int, generation: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.generation = generation

    def __del__(self) -> None:
        os.close(self.descriptor)


class DiskTree:
    """A directory of this machine as a root; no link leads out of it.

    It does what ``LocalRootfs`` does, but lists and opens many files of one directory without
    walking down from the root for each.

    Args:
        root: the directory.
        keep_owners: ``False``: everything is shown as root's.
    """

    def __init__(self, root: Path, *, keep_owners: bool = True) -> None:
        self.root = root
        self._keep_owners = keep_owners
        self._tree = LocalRootfs(root)
        self._last = OpenDirectories()

    def lstat(self, path: str) -> Entry:
        entry = self._tree.lstat(path)
        return entry if self._keep_owners else replace(entry, uid=0, gid=0)

    def listdir(self, path: str) -> list[str]:
        return self._tree.listdir(path)

    def open(self, path: str) -> BinaryIO:
        try:
            return self._open_plain(path)
        except OSError:  # links on the way, or the error in its own words
            return self._tree.open(path)

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        try:
            return self._xattrs_plain(path)
        except OSError:
            return self._tree.xattrs(path)

    def resolve(self, path: str) -> str:
        return self._tree.resolve(path)

    def exists(self, path: str) -> bool:
        return self._tree.exists(path)

    def scan(self, path: str) -> list[Found]:
        """The entries of a directory whose path holds no link, sorted by name.

        Raises:
            OSError: a parent is, or has become, a link.
        """
        descriptor = self._open_directory(path)
        try:
            # Not by scandir: an interruption between its call and its use leaves it open.
            found = [
                self._found(
                    name, os.stat(name, dir_fd=descriptor, follow_symlinks=False), descriptor
                )
                for name in os.listdir(descriptor)
            ]
        finally:
            os.close(descriptor)
        return sorted(found, key=lambda one: os.fsencode(one.name))

    def find(self, path: str) -> Found:
        """The entry at a path that holds no link but perhaps at its end."""
        self._last.forget()
        path = clean(path)
        if path == "/":
            return self._found("", self.root.stat(), -1)
        directory, name = posixpath.split(path)
        descriptor = self._open_directory(directory)
        try:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            return self._found(name, status, descriptor)
        finally:
            os.close(descriptor)

    def _open_plain(self, path: str) -> BinaryIO:
        """A file below directories that are no links."""
        directory, _, name = clean(path).rpartition("/")
        parent = self._last.get(directory, self._open_directory)
        descriptor = os.open(name, _FILE, dir_fd=parent)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return os.fdopen(descriptor, "rb")

    def _xattrs_plain(self, path: str) -> Mapping[str, bytes]:
        """Attributes of an entry below directories that are no links."""
        directory, name = posixpath.split(clean(path))
        parent = self._last.get(directory, self._open_directory)
        handle = f"/proc/self/fd/{parent}/{name}"
        names = os.listxattr(handle, follow_symlinks=False)
        return {one: os.getxattr(handle, one, follow_symlinks=False) for one in names}

    def _open_directory(self, path: str) -> int:
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in components(clean(path)):
            try:
                deeper = os.open(name, _DIRECTORY, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = deeper
        return descriptor

    def _found(self, name: str, status: os.stat_result, directory: int) -> Found:
        kind = KINDS[stat.S_IFMT(status.st_mode)]
        device = None
        if kind in ("character", "block"):
            device = os.major(status.st_rdev), os.minor(status.st_rdev)
        entry = Entry(
            kind=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid if self._keep_owners else 0,
            gid=status.st_gid if self._keep_owners else 0,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            device=device,
            inode=(status.st_dev, status.st_ino),
            links=status.st_nlink,
            target=os.readlink(name, dir_fd=directory) if kind == "symlink" else None,
        )
        return Found(name, entry, status.st_ctime_ns)


class ContextRootfs(DiskTree):
    """A local build context: everything belongs to root, as BuildKit takes it over.

    Modes, times and extended attributes stay.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, keep_owners=False)
