"""Writing the files of an image to this machine: as a directory or as a tar archive."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs
from pytest_zlayer.builder.files.paths import join, scan
from pytest_zlayer.errors import UsageError

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "character": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
}
_COMPRESSED = {
    ".tar": "w",
    ".tar.gz": "w:gz",
    ".tgz": "w:gz",
    ".tar.bz2": "w:bz2",
    ".tar.xz": "w:xz",
}


def export_files(rootfs: Rootfs, source: str, target: Path, label: str) -> Path:
    """Write what lies below ``source`` to ``target``; the path.

    A name that ends with ``.tar`` (also ``.tar.gz`` and so on) is that of an archive, which keeps
    owners, hard links and device nodes. Anything else is a directory, made if it is not there;
    owners are kept where this process may set them, device nodes where it may make them.

    Raises:
        UsageError: nothing is at ``source``, or ``target`` cannot be written there.
    """
    path = rootfs.resolve("/" + source.lstrip("/"))
    try:
        top = rootfs.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"no such file in {label}: {source}") from None
    mode = next((one for end, one in _COMPRESSED.items() if target.name.endswith(end)), None)
    try:
        if mode is not None:
            _write_archive(rootfs, path, top, target, mode)
        else:
            _write_directory(rootfs, path, top, target)
    except FileExistsError as error:
        raise UsageError(f"cannot export to {target}: {error.filename} is in the way") from error
    return target


def entries_below(rootfs: Rootfs, path: str, top: Entry) -> Iterator[tuple[str, str, Entry]]:
    """Path, name below the top, and facts of everything; a file alone is its own name."""
    if top.kind != "directory":
        yield path, path.rpartition("/")[2], top
        return
    pending = [(path, "")]
    while pending:
        directory, prefix = pending.pop()
        for found in scan(rootfs, directory):
            name = f"{prefix}{found.name}"
            yield join(directory, found.name), name, found.entry
            if found.entry.kind == "directory":
                pending.append((join(directory, found.name), f"{name}/"))


def _write_archive(rootfs: Rootfs, path: str, top: Entry, target: Path, mode: str) -> None:
    first: dict[tuple[int, int], str] = {}
    part = target.with_name(f".{target.name}.part")
    try:
        with tarfile.open(part, mode, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]  # one of the modes above
            for inside, name, entry in entries_below(rootfs, path, top):
                info = _info(name, entry)
                if info is None:
                    continue
                if entry.kind == "file" and entry.links > 1:
                    known = first.setdefault(entry.inode, name)
                    if known != name:
                        info.type, info.linkname, info.size = tarfile.LNKTYPE, known, 0
                if info.isreg():
                    with rootfs.open(inside) as content:
                        tar.addfile(info, content)
                else:
                    tar.addfile(info)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _info(name: str, entry: Entry) -> tarfile.TarInfo | None:
    if entry.kind not in _TYPES:  # a socket: nothing outlives its process
        return None
    info = tarfile.TarInfo(name)
    info.type, info.mode = _TYPES[entry.kind], entry.mode
    info.uid, info.gid, info.mtime = entry.uid, entry.gid, entry.mtime_ns // 10**9
    info.size = entry.size if entry.kind == "file" else 0
    info.linkname = entry.target or ""
    if entry.device is not None:
        info.devmajor, info.devminor = entry.device
    return info


def _write_directory(rootfs: Rootfs, path: str, top: Entry, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _make_writable(target)
    directories = [(target, top)] if top.kind == "directory" else []
    first: dict[tuple[int, int], Path] = {}
    for inside, name, entry in entries_below(rootfs, path, top):
        place = target / name
        if entry.kind == "directory":
            if place.is_symlink():
                place.unlink()
            place.mkdir(exist_ok=True)
            _make_writable(place)
            directories.append((place, entry))
            continue
        place.unlink(missing_ok=True)
        if entry.kind == "file" and entry.links > 1 and entry.inode in first:
            place.hardlink_to(first[entry.inode])
            continue
        if _write_one(rootfs, inside, entry, place):
            first.setdefault(entry.inode, place)
            _set_facts(entry, place)
    for place, entry in reversed(directories):  # a directory that is read-only is filled first
        _set_facts(entry, place)


def _make_writable(directory: Path) -> None:
    """An export that was made before has directories that are read-only, but for root."""
    if not os.access(directory, os.W_OK | os.X_OK):
        with contextlib.suppress(PermissionError):
            directory.chmod(0o700)


def _write_one(rootfs: Rootfs, inside: str, entry: Entry, place: Path) -> bool:
    match entry.kind:
        case "file":
            with rootfs.open(inside) as reader, place.open("wb") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
        case "symlink":
            place.symlink_to(entry.target or "")
        case "fifo":
            os.mkfifo(place)
        case "character" | "block":
            with contextlib.suppress(PermissionError):
                kind = 0o020000 if entry.kind == "character" else 0o060000
                os.mknod(place, kind | entry.mode, os.makedev(*(entry.device or (0, 0))))
                return True
            return False
        case _:
            return False
    return True


def _set_facts(entry: Entry, place: Path) -> None:
    with contextlib.suppress(PermissionError):
        os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind != "symlink":
        place.chmod(entry.mode)
    os.utime(place, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
