"""Packages of Red Hat, SUSE and their derivatives: the database of rpm, read without rpm."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.checks.packages.record import Package, PackagesUnreadable

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import FilePath, HasFiles

_FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm")
# Tags of rpm's headers (rpmtag.h).
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH = 1000, 1001, 1002, 1003, 1022
_INT32, _TEXT = 4, (6, 8, 9)
# Keys that packages are signed with stand in the database as if they were packages.
_NO_PACKAGE = "gpg-pubkey"


def installed(subject: HasFiles) -> Iterator[Package]:
    """The installed packages.

    Raises:
        PackagesUnreadable: the database is of a form that only rpm itself reads, or damaged.
    """
    for folder in _FOLDERS:
        directory = subject.path(folder)
        if not directory.is_dir():
            continue
        for name, read in (("rpmdb.sqlite", _sqlite), ("Packages.db", _ndb), ("Packages", _bdb)):
            database = directory / name
            if database.is_file():
                yield from _packages(database, read(database))
                return


def _packages(database: FilePath, blobs: Iterator[bytes]) -> Iterator[Package]:
    try:
        for blob in blobs:
            fields = _header(blob)
            if fields.get(_NAME, _NO_PACKAGE) != _NO_PACKAGE:
                yield Package(
                    str(fields[_NAME]), _version(fields), str(fields.get(_ARCH, "")), "rpm"
                )
    except (struct.error, sqlite3.Error, ValueError, IndexError) as error:
        raise PackagesUnreadable(f"the rpm database {database} is damaged: {error}") from error


def _version(fields: dict[int, str | int]) -> str:
    """``[epoch:]version-release``, as rpm shows it."""
    epoch = f"{fields[_EPOCH]}:" if fields.get(_EPOCH) else ""
    return f"{epoch}{fields.get(_VERSION, '')}-{fields.get(_RELEASE, '')}"


def _header(blob: bytes) -> dict[int, str | int]:
    """The texts and numbers of an rpm header: an index of tags, and the data they point into."""
    count, _ = struct.unpack_from(">II", blob)
    start = 8 + 16 * count
    fields: dict[int, str | int] = {}
    for number in range(count):
        tag, kind, offset, _ = struct.unpack_from(">IIII", blob, 8 + 16 * number)
        if tag not in (_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH):
            continue
        if kind == _INT32:
            fields[tag] = struct.unpack_from(">I", blob, start + offset)[0]
        elif kind in _TEXT:
            end = blob.index(b"\0", start + offset)
            fields[tag] = blob[start + offset : end].decode("utf-8", "replace")
    return fields


def _sqlite(database: FilePath) -> Iterator[bytes]:
    """SQLite, of rpm 4.16 and newer, which wants a file of this machine, with its log beside it."""
    with tempfile.TemporaryDirectory(prefix="zlayer-rpm-") as folder:
        copy = Path(folder, "rpmdb.sqlite")
        copy.write_bytes(database.read_bytes())
        log = database.parent / "rpmdb.sqlite-wal"
        if log.is_file():
            Path(folder, "rpmdb.sqlite-wal").write_bytes(log.read_bytes())
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum"):
                yield blob


def _ndb(database: FilePath) -> Iterator[bytes]:
    """SUSE: pages of slots, each of which says at which block of 16 bytes a header begins."""
    data = database.read_bytes()
    magic, _, _, pages = struct.unpack_from("<4sIII", data)
    if magic != b"RpmP":
        raise ValueError("it does not begin like one")
    for place in range(32, pages * 4096, 16):
        slot, package, block, _ = struct.unpack_from("<4sIII", data, place)
        if slot != b"Slot" or package == 0:
            continue
        begin, _, _, length = struct.unpack_from("<4sIII", data, block * 16)
        if begin != b"BlbS":
            raise ValueError(f"package {package} does not begin where it should")
        yield data[block * 16 + 16 : block * 16 + 16 + length]


def _bdb(database: FilePath) -> Iterator[bytes]:
    raise PackagesUnreadable(
        f"the rpm database {database} is a Berkeley DB, which cannot be read without rpm",
        hint='ask rpm itself: image.run(["rpm", "-qa"])',
    )
