"""Compressed files: what is read of them, and what that takes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable

import pytest

from pytest_zlayer.builder.files.compression import CompressionError, decompressed, is_damage

PLAIN = bytes(range(256)) * 1000
XZ = lzma.compress(PLAIN)


def read(data: bytes, size: int = 10_000) -> bytes:
    """What is in a file, read in pieces."""
    with decompressed(io.BytesIO(data)) as file:
        return b"".join(iter(lambda: file.read(size), b""))


@pytest.mark.parametrize("size", [1000, 1 << 20])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_file_is_read_to_its_end(compress: Callable[[bytes], bytes], size: int) -> None:
    assert read(compress(PLAIN), size) == PLAIN


def test_streams_of_xz_follow_one_another_with_padding_between() -> None:
    assert read(XZ + bytes(8) + XZ + XZ) == PLAIN * 3


def test_what_follows_the_last_stream_of_xz_does_not_matter() -> None:
    assert read(XZ + b"\xfd7zX or so") == PLAIN
    assert read(XZ + bytes(100_000)) == PLAIN


@pytest.mark.parametrize("length", [12, 24, 100, len(XZ) - 1])
def test_xz_that_is_cut_off(length: int) -> None:
    with pytest.raises(EOFError) as caught:
        read(XZ[:length])
    assert is_damage(caught.value)


def test_xz_that_is_damaged() -> None:
    with pytest.raises(lzma.LZMAError) as caught:
        read(XZ[:100] + bytes(100) + XZ[200:])
    assert is_damage(caught.value)


def test_xz_that_asks_for_gigabytes_of_memory() -> None:
    header = bytearray(XZ[12:20])  # of the first block (The .xz File Format, 3.1)
    header[4] = 40  # a dictionary of 4 GiB
    greedy = XZ[:12] + header + zlib.crc32(header).to_bytes(4, "little") + XZ[24:]
    with pytest.raises(CompressionError) as caught:
        read(greedy)
    assert caught.value.message == "decompressing it takes more than 512 MiB of memory"
    assert caught.value.hint == "compress it with a usual level of xz (-9 at most)"
