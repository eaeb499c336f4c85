"""Mount points: what the engine creates in a container so that a RUN can have its mounts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from pytest_zlayer.buildah.rootfs import Rootfs

# What buildah mounts in every RUN. BuildKit leaves none of it in an image either.
ENGINE_MOUNTS = (
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/run/.containerenv",
    "/run/secrets",
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
