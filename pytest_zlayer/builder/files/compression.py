"""Compressed files, recognized by their content: gzip, bzip2, xz and zstd."""

from __future__ import annotations

import bz2
import gzip
import importlib
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
        CompressionError: it is compressed with zstd, and nothing here can decompress that.
    """
    start = file.read(10)
    file.seek(0)
    reader: Any = file
    if start.startswith(GZIP):
        reader = gzip.GzipFile(fileobj=file)
    elif start.startswith(_BZIP2) and start.endswith(_BZIP2_BLOCK):
        reader = bz2.BZ2File(file)
    elif start.startswith(_XZ):
        reader = lzma.LZMAFile(file)  # noqa: SIM115 - closed below
    elif start.startswith((_ZSTD, *_ZSTD_SKIPPABLE)):
        reader = _zstd_reader(file)
    try:
        yield cast(BinaryIO, reader)
    finally:
        if reader is not file:
            reader.close()


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
