"""How layers look on top of a base before any store has them."""

from __future__ import annotations

import errno
import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO, cast

from pytest_zlayer.buildah.files.rootfs import Entry, EntryKind, Rootfs
from pytest_zlayer.builder.files.paths import clean, follow, join, look, sort_key
from pytest_zlayer.builder.oci.layer import LayerEntry


class UpperTree:
    """The files that layers put over a base; a later one at a path replaces the earlier."""

    def __init__(self, layers: Iterable[Iterable[LayerEntry]] = ()) -> None:
        self.entries: dict[str, LayerEntry] = {}  # hard links as the files they name
        self._inodes: dict[str, int] = {}
        self._next_inode = 1
        self._children: dict[str, set[str]] = {}
        self._hiding: set[str] = set()  # paths under which nothing of the base shows
        for layer in layers:
            self.add(layer)

    def add(self, layer: Iterable[LayerEntry]) -> None:
        """Put a layer on top."""
        for entry in layer:
            self.put(entry)

    def put(self, entry: LayerEntry) -> None:
        """Put one entry; a directory over anything else is empty, over a directory merges."""
        path = entry.path
        before = self.entries.get(path)
        if entry.kind != "directory" or entry.opaque or (before and before.kind != "directory"):
            self._drop_below(path)
            self._hiding.add(path)
        if entry.kind == "hardlink" and entry.target is not None:
            self._inodes[path] = self._inodes[entry.target]
            entry = replace(self.entries[entry.target], path=path)
        else:
            self._inodes[path] = self._next_inode
            self._next_inode += 1
        self.entries[path] = entry
        self._children.setdefault(posixpath.dirname(path), set()).add(path)

    def flatten(self) -> Iterator[LayerEntry]:
        """All entries, parents first, further names of a file as hard links of the first."""
        first: dict[int, str] = {}
        for path in sorted(self.entries, key=sort_key):
            entry = self.entries[path]
            target = first.setdefault(self._inodes[path], path)
            if target == path:
                yield entry
            else:
                yield replace(entry, kind="hardlink", target=target, content=None)

    def inodes(self) -> dict[str, tuple[int, int]]:
        """Inode number and number of links of every path."""
        links = Counter(self._inodes.values())
        return {path: (number, links[number]) for path, number in self._inodes.items()}

    def hides_below(self, directory: str) -> bool:
        """Whether what the base has in a directory is covered by this, or by one above it."""
        here = directory
        while self._hiding:
            if here in self._hiding:
                return True
            if here == "/":
                return False
            here = posixpath.dirname(here)
        return False

    def names(self, directory: str) -> list[str]:
        """Names that the layers put into a directory."""
        return [posixpath.basename(path) for path in self._children.get(directory, ())]

    def _drop_below(self, path: str) -> None:
        pending = [path]
        while pending:
            for child in self._children.pop(pending.pop(), set()) - {path}:
                self.entries.pop(child, None)
                self._inodes.pop(child, None)
                pending.append(child)


class LayeredRootfs:
    """A base with layers on top that are not in any store yet."""

    def __init__(self, base: Rootfs, layers: Sequence[Sequence[LayerEntry]]) -> None:
        self._base = base
        self._upper = UpperTree(layers)
        self._inodes = self._upper.inodes()

    def lstat(self, path: str) -> Entry:
        found = self._at(self._parent_resolved(path))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if path.endswith("/") and found.kind not in ("directory", "symlink"):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return found

    def listdir(self, path: str) -> list[str]:
        directory = self.resolve(path)
        if self.lstat(directory).kind != "directory":
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        names = set(self._upper.names(directory))
        if not self._upper.hides_below(directory):
            below = look(self._base, directory)
            if below is not None and below.kind == "directory":
                names.update(self._base.listdir(directory))
        return sorted(names, key=os.fsencode)

    def open(self, path: str) -> BinaryIO:
        real = self._parent_resolved(path)
        entry = self._upper.entries.get(real)
        if entry is None:
            self.lstat(path)
            return self._base.open(real)
        if entry.content is None:
            code = errno.EISDIR if entry.kind == "directory" else errno.ELOOP
            raise OSError(code, os.strerror(code), path)
        return entry.content.open()

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        real = self._parent_resolved(path)
        entry = self._upper.entries.get(real)
        if entry is None:
            self.lstat(path)
            return self._base.xattrs(real)
        return entry.xattrs

    def resolve(self, path: str) -> str:
        return follow(self._at, path)

    def exists(self, path: str) -> bool:
        try:
            return self._at(self.resolve(path)) is not None
        except OSError:
            return False

    def _parent_resolved(self, path: str) -> str:
        path = clean(path)
        return join(follow(self._at, posixpath.dirname(path)), posixpath.basename(path))

    def _at(self, path: str) -> Entry | None:
        entry = self._upper.entries.get(path)
        if entry is not None:
            return self._entry(entry)
        if self._upper.hides_below(posixpath.dirname(path)):
            return None
        return look(self._base, path)

    def _entry(self, entry: LayerEntry) -> Entry:
        inode, links = self._inodes[entry.path]
        return Entry(
            kind=cast(EntryKind, entry.kind),
            mode=entry.mode,
            uid=entry.uid,
            gid=entry.gid,
            size=len(os.fsencode(entry.target)) if entry.target is not None else entry.size,
            mtime_ns=entry.mtime_ns,
            device=entry.device,
            inode=(-1, inode),
            links=links,
            target=entry.target,
        )
