"""Compressed files, recognized by their content: gzip, bzip2, xz and zstd."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

from pytest_zlayer.errors import ZlayerError

GZIP = b"\x1f\x8b\x08"
_BZIP2, _BZIP2_BLOCK = b"BZh", b"1AY&SY"
_XZ = b"\xfd7zXZ\x00"
# What xz -9 needs, which is 65 MiB, and more.
_XZ_MEMORY = 1 << 29
_CHUNK = 1 << 16
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = tuple(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16))
_DECODE_ERRORS = (
    EOFError, OSError, lzma.LZMAError, zlib.error, tarfile.TarError, ValueError,
    # Of tarfile: a header of headers of headers, and lengths beyond all numbers.
    RecursionError, OverflowError,
)  # fmt: skip


class CompressionError(ZlayerError):
    """Content that nothing here can decompress."""


@contextmanager
def decompressed(file: BinaryIO) -> Iterator[BinaryIO]:
    """The plain content; the file itself when it is not compressed.

    Raises:
        CompressionError: it is compressed with zstd, and nothing here can decompress that; or what
            is read of it was compressed with xz in such a way that it needs too much memory.
    """
    start = file.read(10)
    file.seek(0)
    reader: Any = file
    if start.startswith(GZIP):
        reader = gzip.GzipFile(fileobj=file)
    elif start.startswith(_BZIP2) and start.endswith(_BZIP2_BLOCK):
        reader = bz2.BZ2File(file)
    elif start.startswith(_XZ):
        reader = io.BufferedReader(_XzReader(file))
    elif start.startswith((_ZSTD, *_ZSTD_SKIPPABLE)):
        reader = _zstd_reader(file)
    try:
        yield cast(BinaryIO, reader)
    finally:
        if reader is not file:
            reader.close()


class _XzReader(io.RawIOBase):
    """What is compressed in a file with xz.

    ``lzma.LZMAFile`` takes as much memory as the file asks for, which can be 4 GiB.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._chunks = filter(None, _xz_chunks(file))
        self._chunk = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any, /) -> int:
        chunk = self._chunk or next(self._chunks, b"")
        size = min(len(chunk), len(target))
        target[:size], self._chunk = chunk[:size], chunk[size:]
        return size


def _xz_chunks(file: BinaryIO) -> Iterator[bytes]:
    data = _xz_stream(file, b"")
    while data:
        stream = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        while not stream.eof:
            if stream.needs_input and not data:
                raise EOFError("unexpected end of data")
            yield _xz_decompressed(stream, data)
            data = file.read(_CHUNK) if stream.needs_input else b""
        data = _xz_stream(file, stream.unused_data)


def _xz_stream(file: BinaryIO, data: bytes) -> bytes:
    """The beginning of a stream, if one comes next, maybe after padding; the rest is ignored."""
    data = data.lstrip(b"\0")
    while len(data) < len(_XZ) and (more := file.read(_CHUNK)):
        data = (data + more).lstrip(b"\0")
    return data if data.startswith(_XZ) else b""


def _xz_decompressed(stream: lzma.LZMADecompressor, data: bytes) -> bytes:
    try:
        return stream.decompress(data, _CHUNK)
    except lzma.LZMAError as error:
        if "limit" not in str(error):  # nothing else tells it from damage
            raise
        raise CompressionError(
            f"decompressing it takes more than {_XZ_MEMORY >> 20} MiB of memory",
            hint="compress it with a usual level of xz (-9 at most)",
        ) from error


def is_damage(error: Exception) -> bool:
    """Whether an error that came while reading means that the content is damaged or cut off."""
    # The class of zstd errors depends on the module at hand.
    return isinstance(error, _DECODE_ERRORS) or type(error).__name__ == "ZstdError"


def _zstd_reader(file: BinaryIO) -> Any:
    """A decompressing reader from the standard library (3.14) or the ``zstandard`` package."""
    for module in ("compression.zstd", "zstandard"):
        with suppress(ImportError):
            return importlib.import_module(module).open(file, "rb")
    raise CompressionError(
        "zstd compression is not supported by this Python",
        hint="pip install 'pytest-zlayer[zstd]'",
    )
