"""Tar archives whose headers lie."""

from __future__ import annotations

import io
import tarfile

import pytest

from pytest_zlayer.builder.files.compression import is_damage
from pytest_zlayer.builder.files.tar_reader import TarReader, tar_stream
from tests.builder.lying_headers import LYING
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
