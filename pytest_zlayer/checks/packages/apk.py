"""Packages of Alpine: ``/lib/apk/db/installed``, in newer ones below ``/usr``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_zlayer.checks.packages.record import Package

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import HasFiles

_DATABASES = ("/usr/lib/apk/db/installed", "/lib/apk/db/installed")


def installed(subject: HasFiles) -> Iterator[Package]:
    """The installed packages."""
    for place in _DATABASES:
        database = subject.path(place)
        if database.is_file():
            yield from _packages(database.read_bytes().decode("utf-8", "replace"))
            return


def _packages(text: str) -> Iterator[Package]:
    for paragraph in text.split("\n\n"):
        fields = {line[0]: line[2:] for line in paragraph.splitlines() if line[1:2] == ":"}
        if "P" in fields:
            yield Package(fields["P"], fields.get("V", ""), fields.get("A", ""), "apk")
