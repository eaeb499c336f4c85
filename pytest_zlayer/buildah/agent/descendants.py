"""The processes below a command: those of buildah, and the first one of the container."""

from __future__ import annotations

import os

_LAUNCHER = b"buildah-chroot-exec"
# What makes containers, by the names of the programs.
_MAKERS = ("runc", "crun", "buildah")


def find_contained(main: int) -> int | None:
    """The first process below this one that works in a container, once buildah has let go of it.

    Until then it has the files of the container already, and is a copy of what makes containers.
    """
    ours = _place(os.getpid())
    parents = [main]
    for parent in parents:
        for child in children(parent):
            place, program = _place(child), _program(child)
            if place not in (None, ours) and program and program not in _MAKERS:
                return child
            parents.append(child)
    return None


def _place(pid: int) -> tuple[int, int] | None:
    """What is ``/`` for a process."""
    try:
        found = os.stat(f"/proc/{pid}/root")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _program(pid: int) -> str:
    """The name of a process's program; empty for one that is gone."""
    try:
        path = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    except OSError:
        return ""
    # runc works from a copy of itself in memory.
    return _MAKERS[0] if path.startswith("/memfd:") else os.path.basename(path)


def find_launcher(main: int) -> tuple[int, int] | None:
    """Buildah's process, below this one, that starts a command with chroot isolation; its parent.

    The parent passes on what the command writes.
    """
    parents = [main]
    for parent in parents:
        for child in children(parent):
            if read_quietly(f"/proc/{child}/cmdline").startswith(_LAUNCHER + b"\0"):
                return child, parent
            parents.append(child)
    return None


def children(pid: int) -> list[int]:
    """The direct children of a process, also those that have ended, as the kernel lists them."""
    files = (f"/proc/{pid}/task/{thread}/children" for thread in tasks_of(pid))
    return [int(child) for file in files for child in read_quietly(file).split()]


def read_quietly(path: str) -> bytes:
    """What a file holds; nothing when it is gone."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def tasks_of(pid: int) -> list[str]:
    """The threads of a process."""
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
