"""Copying files of a container to this machine, never through a link."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs
from pytest_zlayer.builder.image.export import entries_below
from pytest_zlayer.errors import UsageError

_CHUNK = 1 << 20


def copy_out(rootfs: Rootfs, source: str, target: Path, label: str) -> Path:
    """Copy a file or directory to ``target``, or below it if that is a directory; its path.

    Links are copied as links, as ``docker cp`` does. Where a link stands in the way of a file it is
    replaced; in the way of a directory it is refused.

    Raises:
        UsageError: nothing is there, it is or holds what is no file, directory or link, or
            something is in the way.
    """
    path = _place_of(rootfs, source)
    try:
        top = rootfs.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"no such file in {label}: {source}") from None
    if target.is_dir():
        target /= path.rpartition("/")[2]
    found = [(path, "", top)]
    if top.kind == "directory":
        found += entries_below(rootfs, path, top)
    for inside, _, entry in found:  # before anything is written
        if entry.kind not in ("file", "directory", "symlink"):
            raise UsageError(
                f"{inside} in {label} is a {_WORDS.get(entry.kind, entry.kind)}: only files, "
                "directories and links can be copied out"
            )
    for inside, name, entry in found:
        _write(rootfs, inside, entry, target / name if name else target)
    return target


_WORDS = {"character": "character device", "block": "block device", "fifo": "named pipe"}


def _place_of(rootfs: Rootfs, source: str) -> str:
    """The entry itself: links above it are followed inside the container, one at its end is not."""
    directory, _, name = f"/{source.strip('/')}".rpartition("/")
    if name in ("", ".", ".."):
        return rootfs.resolve(f"/{source}")
    return f"{rootfs.resolve(directory or '/').rstrip('/')}/{name}"


def _write(rootfs: Rootfs, inside: str, entry: Entry, place: Path) -> None:
    if entry.kind == "directory":
        _make_directory(place)
        return
    if place.is_dir() and not place.is_symlink():
        raise UsageError(f"cannot copy {inside} to {place}: a directory is in the way")
    part = place.with_name(f".zlayer-{secrets.token_hex(4)}.part")
    try:
        if entry.kind == "symlink":
            part.symlink_to(entry.target or "")
        else:
            with rootfs.open(inside) as reader, part.open("xb") as writer:
                shutil.copyfileobj(reader, writer, _CHUNK)
            part.chmod(entry.mode & 0o777)
        os.replace(part, place)
    except FileNotFoundError as error:
        raise UsageError(f"cannot copy {inside} to {place}: no such directory") from error
    finally:
        part.unlink(missing_ok=True)


def _make_directory(place: Path) -> None:
    if place.is_symlink():
        raise UsageError(f"{place} is a link, and nothing is copied through one")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"cannot make the directory {place}: a file is in the way") from None
