"""Tar archives of others: read to their end at most, whatever their headers say."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from pytest_zlayer.builder.files.compression import decompressed
from pytest_zlayer.builder.stopping import StoppableFile, go_on

# Bytes read at once: tarfile copies what is left of them with each header.
_BUFFER = 1 << 16


class TarReader(tarfile.TarFile):
    """A tar archive in which no member leads back to an earlier one: reading it would not end."""

    def next(self) -> tarfile.TarInfo | None:
        member = super().next()
        if member is not None and member.size < 0:
            raise tarfile.ReadError("a member has a negative size")
        return member


class _EndingFile(StoppableFile):
    """A file that says that it has ended once; tarfile skips what is not there by reading on."""

    _ended = False

    def read(self, size: int = -1, /) -> bytes:
        data = super().read(size)
        if self._ended and not data:
            raise EOFError("unexpected end of data")
        self._ended = not data
        return data


@contextmanager
def tar_stream(file: BinaryIO, check: Callable[[], None] = go_on) -> Iterator[tarfile.TarFile]:
    """The archive in a file, plain or compressed, to be read once from its start.

    ``check`` raises when reading it is to stop. What else is raised while members are read means
    damage if ``is_damage`` says so.

    Raises:
        CompressionError: nothing here can decompress it.
    """
    with decompressed(file) as plain:
        stream: Any = _EndingFile(plain, check)
        with TarReader.open(fileobj=cast(BinaryIO, stream), mode="r|", bufsize=_BUFFER) as tar:
            yield tar
