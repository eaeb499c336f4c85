"""Putting a layer on the files of a mounted container, without ever leaving them."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

_OPAQUE = ".wh..wh..opq"
_XATTR = "SCHILY.xattr."
_CHUNK = 1 << 20


def unpack(root: str, layer: str, *, check: Callable[[], None] = lambda: None) -> None:
    """Extracts an uncompressed layer over the tree at ``root``.

    Only for layers we have composed: parents come first, nothing is deleted but by an opaque
    directory, and a path never leads over a link. ``check`` raises when this is to stop.

    Raises:
        OSError: it cannot be written.
    """
    moments: list[tuple[str, float]] = []
    with tarfile.open(layer, encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            check()
            with _directory(root, os.path.dirname(member.name)) as parent:
                _put(_Source(tar, check), member, parent, root)
            if member.isdir():
                moments.append((member.name, member.mtime))
    # Filling a directory changes its time, so the innermost get theirs first.
    for name, moment in reversed(moments):
        with _directory(root, name) as directory:
            os.utime(directory, (moment, moment))


@contextmanager
def _directory(root: str, path: str) -> Iterator[int]:
    """A directory below ``root``, opened name by name; a link on the way is an error."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.split("/"):
            if name not in ("", "."):
                here, above = os.open(name, flags, dir_fd=here), here
                os.close(above)
        yield here
    finally:
        os.close(here)


@dataclass(frozen=True)
class _Source:
    """Where the content of members is; ``check`` raises when reading it is to stop."""

    tar: tarfile.TarFile
    check: Callable[[], None]

    def copy(self, member: tarfile.TarInfo, file: BinaryIO) -> None:
        """Writes the content of a member."""
        content = self.tar.extractfile(member)
        while content is not None and (chunk := content.read(_CHUNK)):
            self.check()
            file.write(chunk)


def _put(source: _Source, member: tarfile.TarInfo, parent: int, root: str) -> None:
    name = os.path.basename(member.name)
    if name == _OPAQUE:
        for one in os.listdir(parent):
            _remove(one, parent)
        return
    if not (member.isdir() and _is_directory(name, parent)):
        _remove(name, parent)
        _make(source, member, parent, root)
    if not member.islnk():
        _set_metadata(member, name, parent)


def _is_directory(name: str, parent: int) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode)
    except FileNotFoundError:
        return False


def _remove(name: str, parent: int) -> None:
    try:
        if _is_directory(name, parent):
            # Python 3.10 knows no directory to begin from.
            shutil.rmtree(f"/proc/self/fd/{parent}/{name}")
        else:
            os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return


def _make(source: _Source, member: tarfile.TarInfo, parent: int, root: str) -> None:
    name = os.path.basename(member.name)
    if member.isdir():
        os.mkdir(name, 0o700, dir_fd=parent)
    elif member.issym():
        os.symlink(member.linkname, name, dir_fd=parent)
    elif member.islnk():
        with _directory(root, os.path.dirname(member.linkname)) as other:
            os.link(
                os.path.basename(member.linkname), name,
                src_dir_fd=other, dst_dir_fd=parent, follow_symlinks=False,
            )  # fmt: skip
    elif member.isfifo():
        os.mkfifo(name, 0o600, dir_fd=parent)
    elif member.ischr() or member.isblk():
        kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
        device = os.makedev(member.devmajor, member.devminor)
        os.mknod(name, 0o600 | kind, device, dir_fd=parent)
    else:
        _write(source, member, name, parent)


def _write(source: _Source, member: tarfile.TarInfo, name: str, parent: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
        source.copy(member, file)


def _set_metadata(member: tarfile.TarInfo, name: str, parent: int) -> None:
    """Owner, mode, attributes and time; in this order, as each may undo the next."""
    os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
    if not member.issym():
        os.chmod(name, member.mode, dir_fd=parent)
        for key, value in member.pax_headers.items():
            if key.startswith(_XATTR):
                # No system call sets attributes by directory and name.
                handle = f"/proc/self/fd/{parent}/{name}"
                data = value.encode("utf-8", "surrogateescape")
                os.setxattr(handle, key[len(_XATTR) :], data, follow_symlinks=False)
    os.utime(name, (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)
