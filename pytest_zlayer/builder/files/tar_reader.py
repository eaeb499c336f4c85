"""Tar archives of others: read to their end at most, whatever their headers say."""

from __future__ import annotations

import math
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from pytest_zlayer.builder.files.compression import decompressed
from pytest_zlayer.builder.stopping import StoppableFile, go_on

# Bytes read at once: tarfile copies what is left of them with each header.
_BUFFER = 1 << 16

# Bytes that may describe one member: archive/tar of Go takes as many for each long name and each
# extended header.
_MOST = 1 << 20
# PATH_MAX of Linux.
_LONGEST_PATH = 4096
# Bytes that may describe all members together where they are kept in memory: a million files.
_MOST_IN_ALL = 1 << 29


class TarReader(tarfile.TarFile):
    """A tar archive whose headers can neither make reading it endless nor fill the memory.

    No member leads back to an earlier one, and what describes them is bounded.
    """

    _most_in_all: float = _MOST_IN_ALL

    def __init__(self, name: Any, mode: Any, fileobj: Any, **options: Any) -> None:
        self._headers = _HeaderFile(fileobj, self._most_in_all)
        super().__init__(name, mode, cast(BinaryIO, self._headers), **options)

    def next(self) -> tarfile.TarInfo | None:
        with self._headers.bounded():
            member = super().next()
        if member is not None:
            _check(member)
        return member


def _check(member: tarfile.TarInfo) -> None:
    if member.size < 0:
        raise tarfile.ReadError("a member has a negative size")
    if max(len(member.name), len(member.linkname)) > _LONGEST_PATH:
        raise tarfile.ReadError(f"a member has a name of more than {_LONGEST_PATH} characters")


class TarStream(TarReader):
    """One that is read once: what has been read is forgotten. There may be millions of members."""

    _most_in_all = math.inf

    def next(self) -> tarfile.TarInfo | None:
        self.members.clear()  # type: ignore[attr-defined]  # not in typeshed
        return super().next()


class _HeaderFile:
    """The file of an archive: as it is, but while headers are read, there are limits to that.

    A header can say that gigabytes of headers follow. tarfile would read them at once.
    """

    def __init__(self, file: Any, most: float) -> None:
        self._file = file
        self._of_member = math.inf
        self._of_all = most

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Read what describes one member."""
        self._of_member = _MOST
        try:
            yield
        finally:
            self._of_member = math.inf

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        if self._of_member < math.inf:
            self._count(size)
        return cast(bytes, self._file.read(size))

    def _count(self, size: int) -> None:
        self._of_member -= size
        self._of_all -= size
        if self._of_member < 0:
            raise tarfile.ReadError(f"a member has headers of more than {_MOST} bytes")
        if self._of_all < 0:
            raise tarfile.ReadError(f"its headers have more than {_MOST_IN_ALL} bytes")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


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
        with TarStream.open(fileobj=cast(BinaryIO, stream), mode="r|", bufsize=_BUFFER) as tar:
            yield tar
