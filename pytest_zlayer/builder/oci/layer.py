"""Image layers: their entries, the tar that holds them, and how they look on top of a base."""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal, cast

from pytest_zlayer.buildah.files.rootfs import Entry, EntryKind, Rootfs
from pytest_zlayer.builder.copy_error import CopyError
from pytest_zlayer.builder.files.contents import Content
from pytest_zlayer.builder.files.paths import clean, follow, join, look, sort_key

LayerKind = Literal[
    "file", "directory", "symlink", "hardlink", "character", "block", "fifo", "whiteout"
]

_NO_XATTRS: Mapping[str, bytes] = MappingProxyType({})
_CHUNK = 1 << 20
# Names that begin so are instructions to whoever unpacks a layer (OCI image-spec, layer.md).
WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class LayerError(CopyError):
    """A layer cannot be written."""


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """One file of a layer.

    Attributes:
        path: absolute path in the image; odd bytes as surrogate escapes.
        kind: what it is; a ``hardlink`` names in ``target`` another entry of the same layer, a
            ``whiteout`` says that what lower layers have there is gone.
        mode: permission bits with setuid, setgid and sticky (``0o7777``).
        uid, gid: owner.
        mtime_ns: nanoseconds since the epoch; the layer keeps whole seconds.
        target: where a symlink or hard link points.
        device: major and minor of a device node.
        xattrs: extended attributes.
        content: the bytes of a ``file``.
        opaque: a ``directory`` that hides what lower layers have in it.
    """

    path: str
    kind: LayerKind
    mode: int
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    target: str | None = None
    device: tuple[int, int] | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=lambda: _NO_XATTRS)
    content: Content | None = None
    opaque: bool = False

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self.content.size if self.content is not None else 0


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """A written layer: digest of the uncompressed tar (``sha256:…``), bytes, and where it is."""

    diff_id: str
    size: int
    path: Path


# --- writing ------------------------------------------------------------------------------------


class _HashingFile:
    """Passes writes on and knows their digest and number."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)
        self.size += len(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def write_layer(
    entries: Iterable[LayerEntry], directory: Path, *, timestamp: int | None = None
) -> LayerBlob:
    """Write an uncompressed PAX tar into ``directory``, named by its digest.

    The same entries give the same bytes. ``timestamp`` (seconds since the epoch) is the latest
    time any file may have, as with ``SOURCE_DATE_EPOCH`` in BuildKit.

    Raises:
        LayerError: a file changed while it was read, or has a name that a layer cannot hold.
    """
    descriptor, name = tempfile.mkstemp(dir=directory, prefix="layer-", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            output = _HashingFile(file)
            for entry in entries:
                _write_entry(output, entry, timestamp)
            output.write(bytes(2 * tarfile.BLOCKSIZE))
        path = directory / f"{output.hexdigest()}.tar"
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return LayerBlob(f"sha256:{output.hexdigest()}", output.size, path)


def _write_entry(output: _HashingFile, entry: LayerEntry, timestamp: int | None) -> None:
    name = posixpath.basename(entry.path)
    if name.startswith(WHITEOUT):
        raise LayerError(
            f"{entry.path}: names that begin with {WHITEOUT!r} cannot be stored in an image layer",
            hint="such a name tells whoever unpacks the layer to delete a file; rename the file",
        )
    if entry.kind == "whiteout":
        path = join(posixpath.dirname(entry.path), WHITEOUT + name)
        output.write(_header(LayerEntry(path, "file", 0), timestamp))
        return
    output.write(_header(entry, timestamp))
    if entry.kind == "file" and entry.content is not None:
        _write_content(output, entry, entry.content)
    if entry.opaque:
        marker = LayerEntry(join(entry.path, _OPAQUE), "file", 0o600, mtime_ns=entry.mtime_ns)
        output.write(_header(marker, timestamp))


def _write_content(output: _HashingFile, entry: LayerEntry, content: Content) -> None:
    left = content.size
    try:
        with content.open() as file:
            while left and (chunk := file.read(min(left, _CHUNK))):
                output.write(chunk)
                left -= len(chunk)
            changed = left > 0 or file.read(1) != b""
    except FileNotFoundError:
        changed = True
    except PermissionError as error:
        raise LayerError(f"{entry.path}: cannot read the source: {error.strerror}") from error
    if changed:
        raise LayerError(f"{entry.path}: the source changed while it was copied")
    output.write(bytes(-content.size % tarfile.BLOCKSIZE))


_TYPES: Mapping[LayerKind, bytes] = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "character": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "whiteout": tarfile.REGTYPE,
}


def _header(entry: LayerEntry, timestamp: int | None) -> bytes:
    info = tarfile.TarInfo(entry.path[1:] or ".")
    info.type = _TYPES[entry.kind]
    info.mode = entry.mode
    info.uid, info.gid = entry.uid, entry.gid
    seconds = entry.mtime_ns // 10**9
    info.mtime = seconds if timestamp is None else min(seconds, timestamp)
    info.size = entry.size if entry.kind == "file" else 0
    if entry.target is not None:
        info.linkname = entry.target[1:] if entry.kind == "hardlink" else entry.target
    if entry.device is not None:
        info.devmajor, info.devminor = entry.device
    info.pax_headers = {
        f"SCHILY.xattr.{name}": entry.xattrs[name].decode("utf-8", "surrogateescape")
        for name in sorted(entry.xattrs)
    }
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


# --- reading a stack ----------------------------------------------------------------------------


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

    def hides(self, path: str) -> bool:
        """Whether what the base has at ``path`` is covered by something above it."""
        if not self._hiding:
            return False
        here = posixpath.dirname(path)
        while True:
            if here in self._hiding:
                return True
            if here == "/":
                return False
            here = posixpath.dirname(here)

    def names(self, directory: str) -> list[str]:
        """Names that the layers put into a directory."""
        return [posixpath.basename(path) for path in self._children.get(directory, ())]

    def _drop_below(self, path: str) -> None:
        for child in self._children.pop(path, set()):
            if child != path:
                self._drop_below(child)
                self.entries.pop(child, None)
                self._inodes.pop(child, None)
                self._hiding.discard(child)


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
        if not self._upper.hides(join(directory, "x")):
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
        if self._upper.hides(path):
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
