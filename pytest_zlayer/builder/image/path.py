"""Files of an image in pathlib's manner, read without running it."""

from __future__ import annotations

import errno
import fnmatch
import posixpath
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pytest_zlayer.argument_values import path_text
from pytest_zlayer.buildah.files.rootfs import Entry, LocalRootfs, Rootfs
from pytest_zlayer.builder.files.directory import DiskTree
from pytest_zlayer.builder.files.paths import join, scan
from pytest_zlayer.dataclass import dataclass


class Mode(int):
    """Permission bits; shown in octal."""

    def __repr__(self) -> str:
        return f"0o{self:o}"


@dataclass(frozen=True)
class FileStat:
    """Facts of a file: ``mode`` with permission bits (0o7777), owner ids, size in bytes."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: float


class ImagePath:
    """A path inside an image. Links are followed inside the image, never out of it."""

    def __init__(self, rootfs: Rootfs, path: str) -> None:
        self._rootfs = rootfs
        text = "" if path == "" else path_text("path", path)
        self._path = posixpath.normpath("/" + text.lstrip("/"))

    def __str__(self) -> str:
        return self._path

    def __fspath__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"ImagePath({self._path!r})"

    def __truediv__(self, other: str) -> ImagePath:
        return ImagePath(self._rootfs, posixpath.join(self._path, other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImagePath) and (self._rootfs, self._path) == (
            other._rootfs,
            other._path,
        )

    def __hash__(self) -> int:
        return hash(self._path)

    @property
    def name(self) -> str:
        """The last component."""
        return posixpath.basename(self._path)

    @property
    def suffix(self) -> str:
        """The file extension with its dot."""
        return posixpath.splitext(self._path)[1]

    @property
    def parent(self) -> ImagePath:
        """The directory it stands in."""
        return ImagePath(self._rootfs, posixpath.dirname(self._path))

    def exists(self) -> bool:
        """Whether it is there, links followed."""
        return self._rootfs.exists(self._path)

    def is_file(self) -> bool:
        """Whether it is a regular file, links followed."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether it is a directory, links followed."""
        return self._kind() == "directory"

    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        try:
            return self._rootfs.lstat(self._path).kind == "symlink"
        except (FileNotFoundError, NotADirectoryError):
            return False

    def stat(self) -> FileStat:
        """Facts of what it leads to. Raises ``FileNotFoundError``."""
        return _facts(self._rootfs.lstat(self._followed()))

    def lstat(self) -> FileStat:
        """Facts of the entry itself. Raises ``FileNotFoundError``."""
        return _facts(self._rootfs.lstat(self._path))

    def open(self) -> BinaryIO:
        """The file for reading, in bytes. Raises ``FileNotFoundError``, ``IsADirectoryError``."""
        path = self._followed()
        if self._rootfs.lstat(path).kind == "directory":
            raise IsADirectoryError(errno.EISDIR, "Is a directory", self._path)
        return self._rootfs.open(path)

    def read_bytes(self) -> bytes:
        """The content."""
        with self.open() as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The content as text."""
        return self.read_bytes().decode(encoding, errors)

    def readlink(self) -> str:
        """Where a symbolic link points. Raises ``OSError`` if it is none."""
        target = self._rootfs.lstat(self._path).target
        if target is None:
            raise OSError(errno.EINVAL, "Invalid argument", self._path)
        return target

    def iterdir(self) -> Iterator[ImagePath]:
        """The entries of a directory, in the order of their names."""
        for name in self._rootfs.listdir(self._followed()):
            yield ImagePath(self._rootfs, posixpath.join(self._path, name))

    def walk(self) -> Iterator[tuple[ImagePath, FileStat]]:
        """Everything below a directory with its facts, parents first; no link is followed."""
        rootfs = self._rootfs
        if isinstance(rootfs, LocalRootfs):
            rootfs = DiskTree(rootfs.root)  # reads the facts of a directory in one go
        for path, entry in _walk(rootfs, self._followed()):
            yield ImagePath(self._rootfs, path), _facts(entry)

    def files(self, pattern: str = "**") -> Iterator[ImagePath]:
        """All that is no directory, at any depth, if its path below this one matches.

        ``*``, ``?`` and ``[…]`` stand for parts of a name, ``**`` for any number of names.
        """
        parts = [part for part in pattern.split("/") if part]
        depth = len([part for part in self._followed().split("/") if part])
        for path, facts in self.walk():
            if facts.kind != "directory" and fits(str(path).split("/")[depth + 1 :], parts):
                yield path

    def glob(self, pattern: str) -> Iterator[ImagePath]:
        """Paths below this one that match: ``*``, ``?``, ``[…]`` and ``**`` as in pathlib."""
        parts = [part for part in pattern.split("/") if part]
        yield from _glob(self, parts, _reached({0}, parts))

    def rglob(self, pattern: str) -> Iterator[ImagePath]:
        """Paths at any depth that match."""
        yield from self.glob(f"**/{pattern}")

    def _followed(self) -> str:
        path = self._rootfs.resolve(self._path)
        self._rootfs.lstat(path)  # raises if it is not there
        return path

    def _kind(self) -> str | None:
        try:
            return self._rootfs.lstat(self._rootfs.resolve(self._path)).kind
        except (FileNotFoundError, NotADirectoryError):
            return None


def _facts(entry: Entry) -> FileStat:
    mtime = entry.mtime_ns / 1e9
    return FileStat(entry.kind, Mode(entry.mode), entry.uid, entry.gid, entry.size, mtime)


def _walk(rootfs: Rootfs, directory: str) -> Iterator[tuple[str, Entry]]:
    for found in scan(rootfs, directory):
        path = join(directory, found.name)
        yield path, found.entry
        if found.entry.kind == "directory":
            yield from _walk(rootfs, path)


def fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the names of a path match those of a pattern; ``**`` stands for any number."""
    # All places of the pattern that the names so far can have led to: many ** cost no more.
    places = _reached({0}, pattern)
    for name in names:
        found = set()
        for place in places - {len(pattern)}:
            if pattern[place] == "**":
                found.add(place)
            elif fnmatch.fnmatchcase(name, pattern[place]):
                found.add(place + 1)
        places = _reached(found, pattern)
    return len(pattern) in places


def _reached(places: set[int], pattern: Sequence[str]) -> set[int]:
    reached = set(places)
    for place, part in enumerate(pattern):
        if part == "**" and place in reached:
            reached.add(place + 1)
    return reached


def _glob(path: ImagePath, pattern: Sequence[str], places: set[int]) -> Iterator[ImagePath]:
    """What matches from here on, each once; ``places``: of the pattern, those that led here."""
    if len(pattern) in places:
        yield path
    going_on = places - {len(pattern)}
    for child in path.iterdir() if going_on and path.is_dir() else ():
        found = set()
        for place in going_on:
            if pattern[place] != "**":
                if fnmatch.fnmatchcase(child.name, pattern[place]):
                    found.add(place + 1)
            elif child.is_dir() and not child.is_symlink():
                found.add(place)
        if found:
            yield from _glob(child, pattern, _reached(found, pattern))
