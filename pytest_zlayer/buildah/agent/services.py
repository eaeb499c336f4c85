"""Removing the containers and networks that podman runs for a session."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .processes import all_processes, kill

_PATIENCE = 60.0
# A container whose monitor was killed is seen to have stopped only by the first try.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Services:
    """podman with its global options and environment, and how the names of ours begin.

    ``link`` is a name of the storage's state and where it leads.
    """

    podman: Sequence[str]
    env: dict[str, str]
    prefix: str
    link: Sequence[str]


def remove_services(left: Services | None) -> list[str]:
    """Removes them; what could not be removed, in words."""
    if left is None:
        return []
    link, target = left.link
    if os.path.lexists(link):
        return _remove_all(left)
    os.symlink(target, link)
    try:
        return _remove_all(left)
    finally:
        os.unlink(link)


def _remove_all(left: Services) -> list[str]:
    problems = _remove(left, "container", ["ps", "--all", "--no-trunc"], ["rm", "-f", "-t0", "-v"])
    problems += _remove(left, "network", ["network", "ls"], ["network", "rm", "-f"])
    _kill_monitors(left.prefix)
    return problems


def _remove(left: Services, kind: str, listing: list[str], removing: list[str]) -> list[str]:
    problems: list[str] = []
    for _ in range(_TRIES):
        code, output, error = _podman(left, [*listing, "--format", "json"])
        if code != 0:
            return [f"podman's {kind}s could not be listed: {error.strip()}"]
        found = [name for name in map(_name, _items(output)) if name.startswith(left.prefix)]
        if not found:
            return []
        code, _, error = _podman(left, [*removing, *found])
        problems = [f"podman {' '.join(removing)}: {error.strip()}"]
    return problems


def _name(found: dict[str, Any]) -> str:
    """Containers have ``Names``, networks ``name`` or, before netavark, ``Name``."""
    names = found.get("Names") or [found.get("name") or found.get("Name") or ""]
    return str(names[0])


def _items(output: str) -> list[dict[str, Any]]:
    try:
        return json.loads(output) or []
    except ValueError:
        return []


def _kill_monitors(prefix: str) -> None:
    """Kills what watched containers that are gone; each is told the name of its container."""
    mark = os.fsencode(f"\0-n\0{prefix}")
    for pid in all_processes():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if mark in line and os.path.basename(line.split(b"\0")[0]) == b"conmon":
            kill(pid, signal.SIGKILL)


def _podman(left: Services, words: Sequence[str]) -> tuple[int, str, str]:
    import subprocess

    try:
        done = subprocess.run(
            [*left.podman, *words],
            env=left.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 125, "", str(error)
    return done.returncode, done.stdout, done.stderr
