"""The specification of a privileged container: without restrictions, with all devices."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

# What hides, protects or filters something in other containers.
_FENCES = ("seccomp", "maskedPaths", "readonlyPaths")
_KERNEL = ("sysfs", "cgroup", "cgroup2")
_KINDS = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}
_ALL_DEVICES = {"allow": True, "access": "rwm"}
# Below /dev: file systems of the container's own, and what the runtime makes itself.
_OWN = {"pts", "shm", "mqueue", "fd", "console", "ptmx"}


def unrestricted(config: Mapping[str, Any]) -> dict[str, Any]:
    """A specification (``config.json``) as docker and podman make it with ``--privileged``."""
    linux = {name: one for name, one in config["linux"].items() if name not in _FENCES}
    linux["resources"] = {**(linux.get("resources") or {}), "devices": [_ALL_DEVICES]}
    linux["devices"] = list(_devices("/dev"))
    process = {**config["process"]}
    process.pop("apparmorProfile", None)
    mounts = [_writable(one) for one in config["mounts"]]
    return {**config, "process": process, "linux": linux, "mounts": mounts}


def _writable(mount: Mapping[str, Any]) -> Mapping[str, Any]:
    if mount.get("type") not in _KERNEL:
        return mount
    options = [one for one in mount.get("options") or () if one not in ("ro", "rw")]
    return {**mount, "options": [*options, "rw"]}


def _devices(directory: str) -> Iterator[dict[str, Any]]:
    """The devices of this machine, at the places where they are."""
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(set(folders) - _OWN)
        for name in sorted(set(names) - _OWN):
            path = os.path.join(folder, name)
            found = os.lstat(path)
            kind = _KINDS.get(stat.S_IFMT(found.st_mode))
            if kind is not None:
                yield {
                    "path": path,
                    "type": kind,
                    "major": os.major(found.st_rdev),
                    "minor": os.minor(found.st_rdev),
                    "fileMode": stat.S_IMODE(found.st_mode),
                    "uid": found.st_uid,
                    "gid": found.st_gid,
                }
