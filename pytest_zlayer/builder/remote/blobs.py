"""Layers as gzip blobs: compressed the same way everywhere, and unpacked within bounds."""

from __future__ import annotations

import gzip
import hashlib
import os
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pytest_zlayer.builder.files.compression import is_damage
from pytest_zlayer.builder.files.tar_reader import TarStream
from pytest_zlayer.builder.remote.entry import EntryError, EntryLayer

_CHUNK = 1 << 20
# What a byte of a gzip stream becomes at most: two bits can stand for 258 bytes.
_RATIO = 1032


class _Hashing:
    """A file for writing that knows the digest and the size of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._sum = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._sum.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._sum.hexdigest()}"


def compress(layer: Path, diff_id: str, blobs: Path, check: Callable[[], None]) -> EntryLayer:
    """Write the gzip blob of an uncompressed layer into ``blobs``, named after its digest.

    Level 1, without a time and a name: equal on all machines (51 MB/s instead of 17 at level 6).

    Args:
        layer: the tar.
        diff_id: its digest.
        blobs: directory of blobs.
        check: called between chunks; raises where the work is to end.
    """
    blobs.mkdir(parents=True, exist_ok=True)
    temporary = blobs / f".{diff_id[7:]}.new"
    size = 0
    with layer.open("rb") as source, temporary.open("wb") as raw:
        target = _Hashing(raw)
        with gzip.GzipFile("", "wb", 1, _binary(target), mtime=0) as stream:
            while chunk := source.read(_CHUNK):
                check()
                size += len(chunk)
                stream.write(chunk)
    temporary.replace(blobs / target.digest[7:])
    return EntryLayer(diff_id, size, target.digest, target.size)


def _binary(target: _Hashing) -> Any:
    return target


def decompress(layer: EntryLayer, blob: Path, target: Path, check: Callable[[], None]) -> None:
    """Write the tar of a layer to ``target``, and see that it is what the entry says.

    Raises:
        EntryError: it is not as large as declared, cannot be read, is damaged, or has names that
            leave the image.
        OSError: it cannot be written.
    """
    _check_sizes(layer, blob)
    room = shutil.disk_usage(target.parent).free
    if layer.size > room:
        raise OSError(28, f"a layer has {layer.size} bytes, and {room} are free")
    found = hashlib.sha256()
    size = 0
    with target.open("wb") as file:
        for chunk in _chunks(blob, layer.size):
            check()
            size += len(chunk)
            if size > layer.size:
                raise EntryError(f"a layer has more than the {layer.size} bytes it declares")
            found.update(chunk)
            file.write(chunk)
    if size != layer.size or f"sha256:{found.hexdigest()}" != layer.diff_id:
        raise EntryError("a layer is not what its digest says")
    check_members(target, check)


def _check_sizes(layer: EntryLayer, blob: Path) -> None:
    try:
        size = blob.stat().st_size
    except OSError as error:
        raise EntryError(f"a layer cannot be read: {error.strerror}") from error
    if size != layer.compressed:
        raise EntryError(f"a layer has {size} compressed bytes, not the {layer.compressed} of it")
    if layer.size > size * _RATIO:
        raise EntryError(f"a layer cannot have the {layer.size} bytes it declares")


def _chunks(blob: Path, size: int) -> Iterator[bytes]:
    """What a gzip stream holds, and at most one byte more than ``size``."""
    try:
        with gzip.open(blob) as stream:
            while chunk := stream.read(min(_CHUNK, size + 1)):
                size -= len(chunk)
                yield chunk
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise EntryError("a layer is damaged") from error
    except OSError as error:
        raise EntryError(f"a layer cannot be read: {error.strerror}") from error


def check_members(layer: Path, check: Callable[[], None]) -> None:
    """See that the names in a layer stay below the root of the image, and that no file is sparse.

    The storage unpacks layers inside their directory in any case; an entry that tries is not used.

    Raises:
        EntryError: one does not, a file is, or the tar is damaged.
    """
    try:
        with layer.open("rb") as file, TarStream.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                check()
                _check_member(member)
    except Exception as error:
        if not is_damage(error):
            raise
        raise EntryError("a layer is not a tar archive") from error


def _check_member(member: tarfile.TarInfo) -> None:
    if _leaves(member.name) or (member.islnk() and _leaves(member.linkname)):
        raise EntryError("a layer has names outside of the image")
    if posixpath.normpath(f"/{member.name}") == "/" and not member.isdir():
        raise EntryError("a layer replaces the root directory")
    # No layer of this package has one, and it may say that it is far larger than any disk.
    if member.issparse():
        raise EntryError(f"a layer has a sparse file of {member.size} bytes")


def _leaves(name: str) -> bool:
    return ".." in name.split("/") or "\0" in name


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when all is well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
