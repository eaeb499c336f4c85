"""Packages of Debian and its derivatives: ``/var/lib/dpkg/status``, distroless ``status.d``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_zlayer.checks.packages.record import Package

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import FilePath, HasFiles

_FIELDS = ("Package", "Status", "Version", "Architecture")


def installed(subject: HasFiles) -> Iterator[Package]:
    """The installed packages; those that left only their configuration do not count."""
    database = subject.path("/var/lib/dpkg/status")
    if database.is_file():
        yield from _packages(database)
    folder = subject.path("/var/lib/dpkg/status.d")
    if folder.is_dir():
        for one in folder.iterdir():
            if one.is_file() and not one.name.endswith((".md5sums", ".preinst", ".postinst")):
                yield from _packages(one)


def _packages(path: FilePath) -> Iterator[Package]:
    for fields in _paragraphs(path.read_bytes().decode("utf-8", "replace")):
        status = fields.get("Status", "install ok installed").split()
        if status[-1:] == ["installed"] and "Package" in fields:
            yield Package(
                fields["Package"], fields.get("Version", ""), fields.get("Architecture", ""), "deb"
            )


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if fields:
                yield fields
            fields = {}
            continue
        name, colon, value = line.partition(":")
        if colon and name in _FIELDS:
            fields[name] = value.strip()
