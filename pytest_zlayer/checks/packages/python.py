"""Python distributions: the metadata beside installed packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_zlayer.checks.packages.record import Package

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import FilePath, HasFiles

_FOLDERS = ("site-packages", "dist-packages")
# Nothing is installed there, and kernels and devices show many files.
_SKIPPED = ("/proc", "/sys", "/dev", "/run", "/usr/share", "/var/lib/dpkg", "/var/cache")


def installed(subject: HasFiles) -> Iterator[Package]:
    """The installed distributions, wherever in the image a folder of packages is."""
    for folder in _folders(subject.path("/")):
        for one in folder.iterdir():
            metadata = _metadata(one)
            if metadata is not None and metadata.is_file():
                yield from _package(metadata)


def _folders(directory: FilePath) -> Iterator[FilePath]:
    for child in directory.iterdir():
        if str(child) in _SKIPPED or child.is_symlink() or not child.is_dir():
            continue
        if child.name in _FOLDERS:
            yield child
        else:
            yield from _folders(child)


def _metadata(path: FilePath) -> FilePath | None:
    if path.name.endswith(".dist-info"):
        return path / "METADATA"
    if path.name.endswith(".egg-info"):
        return path / "PKG-INFO" if path.is_dir() else path
    return None


def _package(metadata: FilePath) -> Iterator[Package]:
    text = metadata.read_bytes().decode("utf-8", "replace")
    head = text.replace("\r\n", "\n").partition("\n\n")[0]
    fields = dict(re.findall(r"^(Name|Version):\s*(.*?)\s*$", head, re.MULTILINE))
    if "Name" in fields:
        yield Package(fields["Name"], fields.get("Version", ""), "", "python")
