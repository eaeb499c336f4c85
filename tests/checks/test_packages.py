"""Packages read from the databases of package managers."""

from __future__ import annotations

import sqlite3
import struct
import tarfile
from pathlib import Path

import pytest

from pytest_zlayer.checks.packages.read import read_packages
from pytest_zlayer.checks.packages.record import Package, PackagesUnreadable
from tests.checks.subject import failure, make

DPKG = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9
Description: GNU C Library
 Version: not this one

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1
"""
APK = """\
C:Q1abc=
P:musl
V:1.2.4-r2
A:x86_64
T:libc
F:lib
R:ld.so

P:zlib
V:1.3-r0
A:x86_64

"""


def test_debian(tmp_path: Path) -> None:
    packages = read_packages(make(tmp_path, {"var/lib/dpkg/status": DPKG}))
    assert packages["libc6"] == Package("libc6", "2.36-9", "amd64", "deb")
    assert packages["libc6:i386"].architecture == "i386"
    assert set(packages) == {"libc6", "libc6:i386"}


def test_distroless(tmp_path: Path) -> None:
    files = {
        "var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n",
        "var/lib/dpkg/status.d/base.md5sums": "Package: no\n",
    }
    packages = read_packages(make(tmp_path, files))
    assert dict(packages) == {"base-files": Package("base-files", "12.4", "amd64", "deb")}


@pytest.mark.parametrize("place", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_alpine(tmp_path: Path, place: str) -> None:
    packages = read_packages(make(tmp_path, {place: APK}))
    assert packages["musl"] == Package("musl", "1.2.4-r2", "x86_64", "apk")
    assert set(packages) == {"musl", "zlib"}


def test_python_distributions(tmp_path: Path) -> None:
    folder = "opt/venv/lib/python3.12/site-packages"
    files = {
        f"{folder}/requests-2.31.dist-info/METADATA": "Name: requests\nVersion: 2.31\n\nName: no\n",
        f"{folder}/old.egg-info/PKG-INFO": "Name: old\nVersion: 0.1\n",
        "usr/lib/python3/dist-packages/six-1.egg-info": "Name: six\nVersion: 1\n",
        "var/lib/dpkg/status": "Package: six\nStatus: install ok installed\nVersion: 9\n",
    }
    packages = read_packages(make(tmp_path, files))
    assert packages["requests"] == Package("requests", "2.31", "", "python")
    assert packages["old"].version == "0.1"
    assert packages["six"].kind == "deb"
    assert packages["six:python"].version == "1"


def rpm_header(name: str, version: str, release: str, epoch: int | None = None) -> bytes:
    """An rpm header as its database holds it."""
    index, data = b"", b""
    for tag, text in ((1000, name), (1001, version), (1002, release), (1022, "x86_64")):
        index += struct.pack(">IIII", tag, 6, len(data), 1)
        data += text.encode() + b"\0"
    if epoch is not None:
        data += b"\0" * (-len(data) % 4)
        index += struct.pack(">IIII", 1003, 4, len(data), 1)
        data += struct.pack(">I", epoch)
    return struct.pack(">II", len(index) // 16, len(data)) + index + data


HEADERS = [
    rpm_header("bash", "5.2.15", "3.el9", 1),
    rpm_header("zlib", "1.2.11", "40.el9"),
    rpm_header("gpg-pubkey", "8483c65d", "5ccc5b19"),
]
RPM = {
    "bash": Package("bash", "1:5.2.15-3.el9", "x86_64", "rpm"),
    "zlib": Package("zlib", "1.2.11-40.el9", "x86_64", "rpm"),
}


@pytest.mark.parametrize("folder", ["var/lib/rpm", "usr/lib/sysimage/rpm"])
def test_rpm_in_sqlite(tmp_path: Path, folder: str) -> None:
    subject = make(tmp_path, {f"{folder}/.rpm.lock": ""})
    connection = sqlite3.connect(tmp_path / folder / "rpmdb.sqlite")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(one,) for one in HEADERS])
    connection.commit()
    connection.close()
    assert dict(read_packages(subject)) == RPM


def test_rpm_as_rpm_itself_has_written_it(tmp_path: Path) -> None:
    # rpm 4.18: packages of rpmbuild, installed by rpm --dbpath DIR -i --justdb --nodeps.
    with tarfile.open(Path(__file__).with_name("rpmdb-sqlite.tar.xz")) as tar:
        tar.extractall(tmp_path / "var/lib/rpm", filter="data")
    assert dict(read_packages(make(tmp_path, {"etc/passwd": ""}))) == {
        "bash": Package("bash", "1:5.2.15-3.el9", "noarch", "rpm"),
        "zlib": Package("zlib", "1.2.11-40.el9", "noarch", "rpm"),
    }


def test_rpm_in_suses_own_form(tmp_path: Path) -> None:
    slots = struct.pack("<4sIII16x", b"RpmP", 0, 1, 1)
    blocks, place = b"", 4096
    for number, header in enumerate(HEADERS, 1):
        blob = struct.pack("<4sIII", b"BlbS", number, 0, len(header)) + header
        blob += b"\0" * (-len(blob) % 16)
        slots += struct.pack(
            "<4sIII", b"Slot", number, (place + len(blocks)) // 16, len(blob) // 16
        )
        blocks += blob
    database = slots.ljust(4096, b"\0") + blocks
    assert dict(read_packages(make(tmp_path, {"var/lib/rpm/Packages.db": database}))) == RPM


def test_rpm_in_a_berkeley_db_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PackagesUnreadable, match="is a Berkeley DB") as caught:
        read_packages(make(tmp_path, {"var/lib/rpm/Packages": b"\0"}))
    assert caught.value.hint == 'ask rpm itself: image.run(["rpm", "-qa"])'


def test_a_damaged_database_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PackagesUnreadable, match="is damaged"):
        read_packages(make(tmp_path, {"var/lib/rpm/rpmdb.sqlite": b"nonsense" * 100}))


def test_no_database_no_packages(tmp_path: Path) -> None:
    assert dict(read_packages(make(tmp_path, {"etc/passwd": ""}))) == {}


def test_assert_package(tmp_path: Path) -> None:
    subject = make(tmp_path, {"lib/apk/db/installed": APK})
    subject.assert_package("musl")
    subject.assert_package("musl", "1.2.4-r2")
    reported = failure(subject.assert_package, "mus")
    assert reported == "api: package mus is not installed\n  near: musl 1.2.4-r2"
    reported = failure(subject.assert_package, "musl", "1.3")
    assert reported == "api: package musl has version '1.2.4-r2', expected '1.3'"
    reported = failure(make(tmp_path / "x", {"a": ""}).assert_package, "musl")
    assert reported.endswith("there are no packages that could be found")
