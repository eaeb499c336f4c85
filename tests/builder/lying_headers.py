"""Tar archives of a few headers that make a reader go in circles, or need what no machine has."""

from __future__ import annotations

import tarfile


def _headers(kind: bytes, content: bytes, count: int = 1) -> bytes:
    """Headers of headers, and the header of an empty file."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, len(content)
    one = info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)
    return one * count + tarfile.TarInfo("file").tobuf() + bytes(2 * tarfile.BLOCKSIZE)


def _pax(*records: str) -> bytes:
    """The header of a file of gigabytes after an extended one."""
    info = tarfile.TarInfo("file")
    info.size = 1 << 32
    info.pax_headers = dict(one.split("=") for one in records)
    return info.tobuf(tarfile.PAX_FORMAT)


def _claiming(kind: bytes) -> bytes:
    """A header that says that exabytes of headers follow."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 1 << 62
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(2 * tarfile.BLOCKSIZE)


LYING = {
    "leads back": _headers(tarfile.XHDTYPE, b"14 size=-1536\n"),
    "long names": _headers(tarfile.GNUTYPE_LONGNAME, b"abc\0", 3000),
    "extended headers": _headers(tarfile.XHDTYPE, b"12 path=abc\n", 3000),
    "map": _headers(tarfile.XHDTYPE, b"20 GNU.sparse.map=x\n"),
    "name": _headers(tarfile.GNUTYPE_LONGNAME, b"x" * 5000),
    "link": _headers(tarfile.GNUTYPE_LONGLINK, b"x" * 5000),
    "exabytes of a long name": _claiming(tarfile.GNUTYPE_LONGNAME),
    "exabytes of extended headers": _claiming(tarfile.XHDTYPE),
    "exabytes of global headers": _claiming(tarfile.XGLTYPE),
}


def _repeated_map() -> tuple[bytes, bytes]:
    """The header of a sparse file of GNU, and a piece of its map that says that more follows."""
    info = tarfile.TarInfo("file")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    piece = b"00000000001\0" * 42 + b"\1" + bytes(7)
    return bytes(header), piece


def _long(kind: bytes) -> tuple[bytes, bytes]:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 1 << 31
    return info.tobuf(tarfile.GNU_FORMAT), b"x"


# How archives begin, and what follows again and again: headers of gigabytes that can be compressed
# to almost nothing.
ENDLESS = {
    "long name": _long(tarfile.GNUTYPE_LONGNAME),
    "extended header": _long(tarfile.XHDTYPE),
    "map": _repeated_map(),
    "map of numbers": (
        _pax("GNU.sparse.major=1", "GNU.sparse.minor=0", f"GNU.sparse.realsize={1 << 40}"),
        b"999999999\n",
    ),
}
