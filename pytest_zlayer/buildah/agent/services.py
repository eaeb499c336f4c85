"""Removing the containers and networks that podman runs for a session."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .processes import all_processes, kill, output_of
from .records import StorageOptions
from .short_path import ShortPath

_PATIENCE = 60.0
# A container whose monitor was killed is seen to have stopped only by the first try.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Services:
    """What podman may have left.

    Attributes:
        storage: where.
        env: environment for podman; it is looked up in its PATH.
        prefix: how the names of containers and networks begin.
        own: whether podman has places of its own for this storage.
    """

    storage: StorageOptions
    env: dict[str, str]
    prefix: str
    own: bool


def podman_options(storage: StorageOptions, runroot: str, *, own: bool) -> list[str]:
    """The global options of podman on a storage whose state has this name."""
    state = os.path.join(storage.root, "zlayer")
    options = [
        "--root", storage.root, "--runroot", runroot, "--events-backend", "none",
        "--cgroup-manager", "cgroupfs", "--network-config-dir", os.path.join(state, "networks"),
    ]  # fmt: skip
    if own:
        options += ["--tmpdir", f"{runroot}/zlayer-podman", "--storage-driver", storage.driver]
    return options


def podman_variables(storage: StorageOptions, *, own: bool) -> dict[str, str]:
    """What podman gets on top of the environment of buildah.

    On a storage that it may share with a podman of the user the driver is no option: that one has
    written down in its database that it was given none, and with an option both would differ.
    """
    if not own:
        return {"STORAGE_DRIVER": storage.driver}
    configuration = os.path.join(storage.root, "zlayer", "containers.conf")
    return {"CONTAINERS_CONF": configuration} if os.path.exists(configuration) else {}


def remove_services(left: Services | None) -> list[str]:
    """Removes them; what could not be removed, in words."""
    if left is None:
        return []
    try:
        runroot = ShortPath.of(left.storage)
    except OSError as error:
        return [f"podman cannot be given the storage: {error}"]
    options = podman_options(left.storage, runroot.path, own=left.own)
    try:
        return _remove_all(_Podman(left, ["podman", *options]))
    finally:
        runroot.release()


@dataclass(frozen=True, slots=True)
class _Podman:
    left: Services
    argv: Sequence[str]

    @property
    def prefix(self) -> str:
        return self.left.prefix

    def environment(self) -> dict[str, str]:
        return {**self.left.env, **podman_variables(self.left.storage, own=self.left.own)}


def _remove_all(left: _Podman) -> list[str]:
    problems = _remove(left, "container", ["ps", "--all", "--no-trunc"], ["rm", "-f", "-t0", "-v"])
    problems += _remove(left, "network", ["network", "ls"], ["network", "rm", "-f"])
    _kill_monitors(left.prefix)
    return problems


def _remove(left: _Podman, kind: str, listing: list[str], removing: list[str]) -> list[str]:
    problems: list[str] = []
    for _ in range(_TRIES):
        code, output, error = _podman(left, [*listing, "--format", "json"])
        if code != 0:
            return [f"podman's {kind}s could not be listed: {error.strip()}"]
        found = [name for name in map(_name, listed(output)) if name.startswith(left.prefix)]
        if not found:
            return []
        code, _, error = _podman(left, [*removing, *found])
        problems = [f"podman {' '.join(removing)}: {error.strip()}"]
    return problems


def _name(found: dict[str, Any]) -> str:
    """Containers have ``Names``, networks ``name`` or, before netavark, ``Name``."""
    names = found.get("Names") or [found.get("name") or found.get("Name") or ""]
    return str(names[0])


def listed(output: str) -> list[dict[str, Any]]:
    """What a command has listed as JSON; nothing where it has printed anything else."""
    try:
        return json.loads(output) or []
    except ValueError:
        return []


def _kill_monitors(prefix: str) -> None:
    """Kills what watched containers that are gone; the container's name is one of its arguments."""
    mark = os.fsencode(f"\0-n\0{prefix}")
    for pid in all_processes():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if mark in line and os.path.basename(line.split(b"\0")[0]) == b"conmon":
            kill(pid, signal.SIGKILL)


def _podman(left: _Podman, words: Sequence[str]) -> tuple[int, str, str]:
    return output_of([*left.argv, *words], left.environment(), _PATIENCE)
