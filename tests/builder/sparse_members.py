"""Tar archives of a few hundred bytes with a file that says it is larger than any disk."""

from __future__ import annotations

import tarfile

HUGE = 100 * 10**12  # bytes
NAME = "huge"


def _gnu() -> bytes:
    """The header of GNU tar: one hole, no data (tar manual, "Sparse Formats")."""
    info = tarfile.TarInfo(NAME)
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = _number(HUGE) + _number(0)  # the first piece of data: where, how long
    header[483:495] = _number(HUGE)  # the size of the file
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _number(value: int) -> bytes:
    """A number of twelve bytes that may need more than eleven octal digits."""
    return b"\x80" + value.to_bytes(11, "big")


def _pax(name: str, headers: dict[str, str], data: bytes = b"") -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.pax_headers = {f"GNU.sparse.{key}": value for key, value in headers.items()}
    padding = bytes(-len(data) % tarfile.BLOCKSIZE)
    return info.tobuf(tarfile.PAX_FORMAT) + data + padding


_SIZE = str(HUGE)
_MAP = f"1\n{_SIZE}\n0\n".encode().ljust(tarfile.BLOCKSIZE, b"\0")
_MEMBERS = {
    "gnu": _gnu(),
    "pax-0.0": _pax(NAME, {"size": _SIZE, "numblocks": "1", "offset": _SIZE, "numbytes": "0"}),
    "pax-0.1": _pax(NAME, {"size": _SIZE, "numblocks": "1", "map": f"{_SIZE},0", "name": NAME}),
    "pax-1.0": _pax(
        f"GNUSparseFile.0/{NAME}",
        {"major": "1", "minor": "0", "name": NAME, "realsize": _SIZE},
        _MAP,
    ),
}
FORMATS = tuple(_MEMBERS)


def sparse_archive(form: str) -> bytes:
    """An archive with one such file, in one of ``FORMATS``."""
    return _MEMBERS[form] + bytes(2 * tarfile.BLOCKSIZE)
