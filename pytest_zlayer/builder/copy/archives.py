"""Tar archives that ADD unpacks: recognized by their content, read member by member."""

from __future__ import annotations

import io
import tarfile
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, cast

from pytest_zlayer.builder.files.compression import CompressionError, decompressed, is_damage
from pytest_zlayer.builder.files.contents import Content, MemberContent
from pytest_zlayer.builder.files.tar_reader import TarReader
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.stopping import go_on

_CHUNK = 1 << 20


def is_archive(content: Content, name: str) -> bool:
    """Whether the bytes are a tar archive with at least one member, compressed or not.

    Raises:
        CopyError: compressed, but cut off before that shows; or compressed with zstd, and nothing
            here can decompress that.
    """
    try:
        with content.open() as file, decompressed(file) as plain:
            block = _read_exactly(plain, tarfile.BLOCKSIZE)
            tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except EOFError as error:
        raise CopyError(
            f"cannot unpack {name}: unexpected EOF",
            hint="--unpack=false, or COPY, takes the file as it is",
        ) from error
    except CompressionError as error:
        raise CopyError(f"cannot unpack {name}: {error.message}", hint=error.hint) from error
    except Exception as error:
        if is_damage(error):
            return False
        raise
    return True


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := file.read(size - len(data))):
        data += chunk
    return data


class Archive:
    """A tar archive; its members can be read in any order and more than once.

    A compressed archive is decompressed into a temporary file once, when members are first asked
    for; the file goes with this object. ``check`` raises when reading it is to stop.
    """

    def __init__(self, content: Content, name: str, check: Callable[[], None] = go_on) -> None:
        self._check = check
        self.content = content
        self.name = name
        self._plain: BinaryIO | None = None
        self._tar: tarfile.TarFile | None = None
        self._finalizer: weakref.finalize[..., Archive] | None = None

    def members(self) -> Iterator[tarfile.TarInfo]:
        """The members in order.

        Raises:
            CopyError: the archive is truncated or damaged.
        """
        try:
            yield from self._members()
        except CopyError:
            raise
        except Exception as error:
            if not is_damage(error):
                raise
            raise CopyError(f"cannot unpack {self.name}: {_reason(error)}") from error

    def _members(self) -> Iterator[tarfile.TarInfo]:
        tar, size = self._open(), self._spool().seek(0, io.SEEK_END)
        for member in tar:
            self._check()
            if member.isreg() and not member.issparse() and member.offset_data + member.size > size:
                raise EOFError
            yield member
        # tarfile takes a damaged or cut header for the end of the archive
        rest = self._spool_block(tar.offset)
        if 0 < len(rest) < tarfile.BLOCKSIZE:
            raise EOFError
        if rest.strip(b"\0"):
            raise tarfile.ReadError("invalid tar header")

    def content_of(self, member: tarfile.TarInfo) -> Content:
        """The bytes of a regular member."""
        return MemberContent(member.size, lambda: self._member(member))

    def close(self) -> None:
        """Give the open file back; so does forgetting the archive."""
        if self._finalizer is not None:
            self._finalizer()
        self._plain = self._tar = None

    def _member(self, member: tarfile.TarInfo) -> BinaryIO:
        file = self._open().extractfile(member)
        if file is None:
            raise CopyError(f"cannot unpack {self.name}: {member.name} has no content")
        return cast(BinaryIO, file)

    def _spool_block(self, offset: int) -> bytes:
        plain = self._spool()
        plain.seek(offset)
        return plain.read(tarfile.BLOCKSIZE)

    def _open(self) -> tarfile.TarFile:
        if self._tar is None:
            self._spool().seek(0)
            self._tar = TarReader.open(
                fileobj=self._spool(), mode="r:", encoding="utf-8", errors="surrogateescape"
            )
        return self._tar

    def _spool(self) -> BinaryIO:
        """The plain tar in a file that can be read anywhere."""
        if self._plain is None:
            self._plain = self._plain_file()
            self._finalizer = weakref.finalize(self, self._plain.close)
        return self._plain

    def _plain_file(self) -> BinaryIO:
        with ExitStack() as undo:
            file = undo.enter_context(self.content.open())
            plain = undo.enter_context(decompressed(file))
            if plain is file:
                undo.pop_all()
                return file
            spool = cast(BinaryIO, tempfile.TemporaryFile(prefix="zlayer-unpack-"))  # noqa: SIM115
            undo.callback(spool.close)
            while chunk := plain.read(_CHUNK):
                self._check()
                spool.write(chunk)
            undo.pop_all()
            file.close()
            return spool


def _reason(error: BaseException) -> str:
    if isinstance(error, EOFError) or "end of" in str(error) or "ended" in str(error):
        return "unexpected EOF"
    return str(error)
