"""Tar archives whose headers lie."""

from __future__ import annotations

import io
import tarfile
from typing import Any, BinaryIO, cast

import pytest

from pytest_zlayer.builder.files.compression import is_damage
from pytest_zlayer.builder.files.tar_reader import TarReader, tar_stream
from tests.builder.lying_headers import ENDLESS, LYING
from tests.builder.sparse_members import HUGE

DAMAGE = (tarfile.ReadError, RecursionError, ValueError)


@pytest.mark.parametrize("data", LYING.values(), ids=LYING)
def test_headers_that_lie_are_damage_and_reading_them_ends(data: bytes) -> None:
    with pytest.raises(DAMAGE) as plain, TarReader.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        tar.getmembers()
    with pytest.raises(DAMAGE) as streamed, tar_stream(io.BytesIO(data)) as tar:
        tar.getmembers()
    assert is_damage(plain.value)
    assert is_damage(streamed.value)


class Endless(io.RawIOBase):
    """What begins in some way, and never ends."""

    def __init__(self, beginning: bytes, piece: bytes) -> None:
        super().__init__()
        self._beginning = beginning
        self._piece = piece
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, _: int = 0, /) -> int:
        self.position = position
        return position

    def tell(self) -> int:
        return self.position

    def readinto(self, target: Any) -> int:
        start = self._beginning[self.position :]
        skipped = max(self.position - len(self._beginning), 0) % len(self._piece)
        size = len(target)
        pieces = self._piece * ((size + skipped) // len(self._piece) + 1)
        target[:] = (start + pieces[skipped:])[:size]
        self.position += size
        return size


@pytest.mark.parametrize(("beginning", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_headers_of_gigabytes_are_not_read(beginning: bytes, piece: bytes) -> None:
    file = Endless(beginning, piece)
    with pytest.raises(tarfile.ReadError, match="a member has headers of more than 1048576 bytes"):
        TarReader.open(fileobj=cast(BinaryIO, file), mode="r:")
    assert file.position < 2 << 20
    file.seek(0)
    streamed = cast(BinaryIO, file)
    with pytest.raises(tarfile.ReadError, match="a member has headers"), tar_stream(streamed):
        pass
    assert file.position < 2 << 20


def test_members_without_end_are_not_remembered() -> None:
    file = Endless(b"", tarfile.TarInfo("file").tobuf())
    with tar_stream(cast(BinaryIO, file)) as tar:
        numbers = zip(range(100), tar, strict=False)
        assert {member.name for _, member in numbers} == {"file"}
        assert len(tar.members) < 2


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_zlayer.builder.files.tar_reader.TarReader._most_in_all", 51200)
    file = Endless(b"", tarfile.TarInfo("file").tobuf())
    tar = TarReader.open(fileobj=cast(BinaryIO, file), mode="r:")
    with pytest.raises(tarfile.ReadError, match="its headers have more than") as caught:
        tar.getmembers()
    assert is_damage(caught.value)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, b"Z"], ids=["file", "unknown"])
def test_what_is_not_there_is_not_skipped_piece_by_piece(kind: bytes) -> None:
    info = tarfile.TarInfo("huge")
    info.type, info.size = kind, HUGE * 10**12
    data = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(EOFError), tar_stream(io.BytesIO(data)) as tar:
        list(tar)


@pytest.mark.parametrize("ending", [0, 512, 1024, 10240])
def test_an_archive_that_ends_in_any_way_is_read(ending: int) -> None:
    info = tarfile.TarInfo("file")
    info.size = 3
    data = info.tobuf() + b"abc".ljust(512, b"\0") + bytes(ending)
    with tar_stream(io.BytesIO(data)) as tar:
        assert [one.name for one in tar] == ["file"]
