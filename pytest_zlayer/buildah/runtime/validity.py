"""How long a specification holds: everything on this machine that buildah makes it from."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import resource
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_zlayer.buildah.runtime.specification import Specification

# Of containers/common: capabilities, limits, the seccomp profile, what is mounted everywhere.
_CONFIGURED = ("/usr/share/containers", "/etc/containers")
_NAMES = ("containers.conf", "containers.conf.d", "seccomp.json", "mounts.conf")
# What /etc/hosts and /etc/resolv.conf of a container are made from.
_NETWORK = ("/etc/hosts", "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
# Variables that name places of one session only.
_OF_SESSION = ("TMPDIR", "REGISTRY_AUTH_FILE")
# RLIM_NLIMITS of Linux.
_LIMITS = 16
_INTERNAL = "host.containers.internal"


def fingerprint(
    binaries: Sequence[Path], env: Mapping[str, str], options: Sequence[str], more: Sequence[str]
) -> str:
    """A text that changes when buildah may make another specification than before.

    Args:
        binaries: buildah and the OCI runtime.
        env: environment of buildah.
        options: its global options.
        more: what else was asked for.
    """
    files = [*map(str, binaries), *_files(env)]
    known = {
        "files": {path: _state(path) for path in files},
        "env": {name: value for name, value in env.items() if name not in _OF_SESSION},
        "limits": [resource.getrlimit(number) for number in range(_LIMITS)],
        "user": [os.geteuid(), os.getegid()],
        "options": list(options),
        "more": list(more),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _files(env: Mapping[str, str]) -> Iterator[str]:
    home = env.get("XDG_CONFIG_HOME") or os.path.join(env.get("HOME", "/"), ".config")
    for place in (*_CONFIGURED, os.path.join(home, "containers")):
        for name in _NAMES:
            path = os.path.join(place, name)
            yield path
            if name.endswith(".d") and os.path.isdir(path):
                yield from (os.path.join(path, one) for one in sorted(os.listdir(path)))
    yield from (env[name] for name in env if name.startswith("CONTAINERS_") and env[name])
    yield from _NETWORK


def _state(path: str) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]


def names_this_machine(one: Specification) -> bool:
    """Whether the address that containers have for this machine is still one of its own."""
    for file in one.files.values():
        for line in file.text.splitlines():
            words = line.split()
            if _INTERNAL in words[1:] and not _is_local(words[0]):
                return False
    return True


def _is_local(address: str) -> bool:
    try:
        version = ipaddress.ip_address(address).version
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            tried.bind((address, 0))
    except (OSError, ValueError):
        return False
    return True
