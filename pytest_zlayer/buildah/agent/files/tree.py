"""A directory tree as a container would see it: links never lead out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from contextlib import closing, suppress
from typing import Any

# What the kernel allows (MAXSYMLINKS).
_MOST_LINKS = 40
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree:
    """A directory taken as the root of a file system of its own.

    Every path is resolved name by name from open directories, so neither a link nor a rename
    while we look can lead outside.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def lstat(self, path: str) -> list[Any]:
        """``[mode, uid, gid, size, mtime_ns, rdev, dev, ino, nlink, link target]`` of a path."""
        with closing(_Walk(self.root, path)) as walk:
            walk.go(follow_last=False)
            found = os.fstat(walk.here)
            target = os.readlink("", dir_fd=walk.here) if stat.S_ISLNK(found.st_mode) else None
        return [
            found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns,
            found.st_rdev, found.st_dev, found.st_ino, found.st_nlink, target,
        ]  # fmt: skip

    def listdir(self, path: str) -> list[str]:
        """The names in a directory, sorted by their bytes; a link to a directory is followed."""
        with closing(_Walk(self.root, path)) as walk:
            walk.go(follow_last=True)
            directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=walk.here)
        try:
            return sorted(os.listdir(directory), key=os.fsencode)
        finally:
            os.close(directory)

    def open(self, path: str) -> int:
        """A descriptor to read a regular file from; a link at the end is refused."""
        with closing(_Walk(self.root, path)) as walk:
            walk.go(follow_last=False)
            mode = os.fstat(walk.here).st_mode
            if stat.S_ISDIR(mode):
                raise _error(errno.EISDIR, path)
            if not stat.S_ISREG(mode):
                raise _error(errno.ELOOP if stat.S_ISLNK(mode) else errno.EINVAL, path)
            # Through /proc the very file just looked at is opened, whatever its name means now.
            return os.open(f"/proc/self/fd/{walk.here}", os.O_RDONLY | os.O_CLOEXEC)

    def xattrs(self, path: str) -> dict[str, bytes]:
        """The extended attributes of a path itself; none where the file system has none."""
        with closing(_Walk(self.root, path)) as walk:
            walk.go(follow_last=False)
            handle = f"/proc/self/fd/{walk.here}"
            try:
                return {name: os.getxattr(handle, name) for name in os.listxattr(handle)}
            except OSError as error:
                if error.errno in (errno.ENOTSUP, errno.ENODATA):
                    return {}
                raise

    def remove_empty(self, path: str) -> None:
        """Removes an empty directory or an empty file; anything else stays."""
        parent, _, name = path.rstrip("/").rpartition("/")
        with closing(_Walk(self.root, parent)) as walk:
            walk.go(follow_last=True)
            found = os.stat(name, dir_fd=walk.here, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                with suppress(OSError):  # not empty
                    os.rmdir(name, dir_fd=walk.here)
            elif stat.S_ISREG(found.st_mode) and found.st_size == 0:
                os.unlink(name, dir_fd=walk.here)

    def resolve(self, path: str) -> str:
        """The path without any link in it; a tail that does not exist is kept as it is."""
        with closing(_Walk(self.root, path)) as walk:
            try:
                walk.go(follow_last=True)
            except FileNotFoundError:
                return _normal([*walk.names, *walk.pending])
            return "/" + "/".join(walk.names)


class _Walk:
    """One resolution: the open directories from the root to here, and what is still to come."""

    def __init__(self, root: str, path: str) -> None:
        self._path = path
        self._descriptors = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
        self.names: list[str] = []
        self.pending = deque(_components(path))
        self._must_be_directory = path.endswith(("/", "/."))
        self._links = 0

    def close(self) -> None:
        self._back_to(0)

    @property
    def here(self) -> int:
        return self._descriptors[-1]

    def go(self, *, follow_last: bool) -> None:
        """Resolves the whole path; afterwards ``here`` is what it names."""
        while self.pending:
            name = self.pending[0]
            if name == "..":
                self._back_to(max(len(self.names), 1))
                self.names = self.names[:-1]
                self.pending.popleft()
                continue
            self._enter(name, follow=follow_last or len(self.pending) > 1)
        if self._must_be_directory and not stat.S_ISDIR(os.fstat(self.here).st_mode):
            raise _error(errno.ENOTDIR, self._path)

    def _enter(self, name: str, *, follow: bool) -> None:
        try:
            found = os.open(name, _LOOK, dir_fd=self.here)
        except OSError as error:
            raise _error(error.errno or errno.EIO, self._path) from error
        self.pending.popleft()
        mode = os.fstat(found).st_mode
        if stat.S_ISLNK(mode) and (follow or self._must_be_directory):
            target = os.readlink("", dir_fd=found)
            os.close(found)
            self._follow(target)
            return
        self._descriptors.append(found)
        self.names.append(name)
        if self.pending and not stat.S_ISDIR(mode):
            raise _error(errno.ENOTDIR, self._path)

    def _follow(self, target: str) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise _error(errno.ELOOP, self._path)
        if target.startswith("/"):
            self._back_to(1)
            self.names = []
        self.pending.extendleft(reversed(_components(target)))

    def _back_to(self, depth: int) -> None:
        while len(self._descriptors) > depth:
            os.close(self._descriptors.pop())


def _components(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _normal(names: list[str]) -> str:
    kept: list[str] = []
    for name in names:
        if name == "..":
            kept = kept[:-1]
        else:
            kept.append(name)
    return "/" + "/".join(kept)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
