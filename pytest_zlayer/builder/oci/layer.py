"""Image layers: their entries, and the tar that holds them."""

from __future__ import annotations

import hashlib
import os
import posixpath
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal

from pytest_zlayer.builder.files.contents import Content
from pytest_zlayer.builder.files.paths import join
from pytest_zlayer.builder.files.room import NO_ROOM_HINT, lacks_room
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.dataclass import dataclass

LayerKind = Literal[
    "file", "directory", "symlink", "hardlink", "character", "block", "fifo", "whiteout"
]

_NO_XATTRS: Mapping[str, bytes] = MappingProxyType({})
_CHUNK = 1 << 20
# Names that begin so are instructions for unpacking a layer (OCI image-spec, layer.md).
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
    """Passes writes on and knows their digest and number; ``check`` raises when it is to stop."""

    def __init__(self, file: BinaryIO, check: Callable[[], None]) -> None:
        self._check = check
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._check()
        self._hash.update(data)
        self._file.write(data)
        self.size += len(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def write_layer(
    entries: Sequence[LayerEntry],
    directory: Path,
    *,
    timestamp: int | None = None,
    check: Callable[[], None] = go_on,
) -> LayerBlob:
    """Write an uncompressed PAX tar into ``directory``, named by its digest.

    The same entries give the same bytes. ``timestamp`` (seconds since the epoch) is the latest
    time any file may have, as with ``SOURCE_DATE_EPOCH`` in BuildKit; ``check`` raises when this
    is to stop.

    Raises:
        LayerError: a file changed while it was read, does not fit on the disk, or has a name that
            a layer cannot hold.
    """
    for entry in entries:
        _refuse_too_big(entry, directory)
    descriptor, name = tempfile.mkstemp(dir=directory, prefix="layer-", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            output = _HashingFile(file, check)
            for entry in entries:
                _write_entry(output, entry, timestamp)
            output.write(bytes(2 * tarfile.BLOCKSIZE))
        path = directory / f"{output.hexdigest()}.tar"
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return LayerBlob(f"sha256:{output.hexdigest()}", output.size, path)


def _refuse_too_big(entry: LayerEntry, directory: Path) -> None:
    """Write nothing where a file cannot fit: it may say that it is far larger than any disk."""
    problem = lacks_room(entry.path, entry.size, directory) if entry.kind == "file" else None
    if problem is not None:
        raise LayerError(problem, hint=NO_ROOM_HINT)


def _write_entry(output: _HashingFile, entry: LayerEntry, timestamp: int | None) -> None:
    name = posixpath.basename(entry.path)
    if name.startswith(WHITEOUT):
        raise LayerError(
            f"{entry.path}: names that begin with {WHITEOUT!r} cannot be stored in an image layer",
            hint="unpacking the layer deletes the file such a name stands for; rename the file",
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
