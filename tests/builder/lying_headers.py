"""Tar archives of a few headers that make a reader go in circles, or deeper than its stack."""

from __future__ import annotations

import tarfile


def _headers(kind: bytes, content: bytes, count: int = 1) -> bytes:
    """Headers of headers, and the header of an empty file."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, len(content)
    one = info.tobuf(tarfile.GNU_FORMAT) + content.ljust(tarfile.BLOCKSIZE, b"\0")
    return one * count + tarfile.TarInfo("file").tobuf() + bytes(2 * tarfile.BLOCKSIZE)


LYING = {
    "leads back": _headers(tarfile.XHDTYPE, b"14 size=-1536\n"),
    "long names": _headers(tarfile.GNUTYPE_LONGNAME, b"abc\0", 3000),
    "extended headers": _headers(tarfile.XHDTYPE, b"12 path=abc\n", 3000),
    "map": _headers(tarfile.XHDTYPE, b"20 GNU.sparse.map=x\n"),
}
