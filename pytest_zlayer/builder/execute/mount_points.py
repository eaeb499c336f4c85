"""Mount points: what the engine creates in a container so that a RUN can have its mounts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs
from pytest_zlayer.errors import UsageError

# What buildah mounts in every RUN. BuildKit leaves none of it in an image either.
ENGINE_MOUNTS = (
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/run/.containerenv",
    "/run/secrets",
)


# Whatever is a link here, the engine would follow it out of the image.
_ENGINE_DIRECTORIES = ("/dev", "/etc", "/proc", "/run", "/sys")


def refuse_links(rootfs: Rootfs) -> None:
    """Make sure that what the engine mounts by itself ends up inside the image.

    Raises:
        UsageError: it would not.
    """
    for path in _ENGINE_DIRECTORIES:
        if _is_there(rootfs, path) and rootfs.lstat(path).kind == "symlink":
            raise UsageError(
                f"{path} is a link in this image: nothing can be run in it safely",
                hint="make it a directory",
            )


def missing(rootfs: Rootfs, targets: Iterable[str]) -> tuple[str, ...]:
    """The mount points that are not there yet, and their missing parents; the deepest first."""
    found: set[str] = set()
    for target in targets:
        path = _resolved(rootfs, target)
        while path not in found and not _is_there(rootfs, path):
            found.add(path)
            path = posixpath.dirname(path)
    return tuple(sorted(found, key=lambda one: one.count("/"), reverse=True))


def existing_parents(rootfs: Rootfs, points: Iterable[str]) -> dict[str, Entry]:
    """The directories that get such mount points, as they are before."""
    parents = {posixpath.dirname(point) for point in points}.difference(points)
    return {path: rootfs.lstat(path) for path in parents if _is_there(rootfs, path)}


def _resolved(rootfs: Rootfs, target: str) -> str:
    try:
        return rootfs.resolve(target)
    except OSError:  # a file is in the way, or links go round: the engine will say so
        return "/"


def _is_there(rootfs: Rootfs, path: str) -> bool:
    try:
        rootfs.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
