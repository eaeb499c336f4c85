"""Another process in a container that runs: what ``exec`` is for an OCI runtime.

It has the namespaces, the files, the limits and the capabilities of the process that runs there
already, and not its system call filter, which the kernel gives to descendants only.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import warnings  # noqa: F401 (os.execvpe imports it, and could not from inside)
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .system_calls import system_call

# The user namespace first: it gives the right to enter the others.
_KINDS = ("user", "mnt", "pid", "net", "uts", "ipc")
_PR_CAPBSET_DROP = 24
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@dataclass(frozen=True, slots=True)
class _Inside:
    """What a process of a container has, as far as another one is to have it too."""

    namespaces: list[int]
    root: int
    env: dict[str, str]
    limits: dict[int, tuple[int, int]]
    capabilities: int

    @classmethod
    def of(cls, pid: int) -> _Inside:
        """Raises ``OSError`` when it has ended."""
        return cls(
            list(_other_namespaces(pid)),
            os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC),
            _environment(pid),
            {number: resource.prlimit(pid, number) for number in _limits()},
            _bounding_set(pid),
        )


def _other_namespaces(pid: int) -> Iterator[int]:
    for kind in _KINDS:
        theirs = f"/proc/{pid}/ns/{kind}"
        if os.stat(theirs).st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino:
            yield os.open(theirs, os.O_RDONLY | os.O_CLOEXEC)


def _environment(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/environ", encoding="utf-8", errors="surrogateescape") as file:
        pairs = (line.partition("=") for line in file.read().split("\0"))
        return {name: value for name, equals, value in pairs if equals}


def _limits() -> Iterator[int]:
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            yield getattr(resource, name)


def _bounding_set(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))


def enter(file: str) -> int:
    """Starts what a file describes, and writes its process id where that says.

    The file holds ``beside``: the process that runs in the container already; ``pid_file``; and
    ``argv``, ``cwd``, ``uid``, ``gid``, ``groups`` of the process to start, and ``env`` on top of
    what the other one began with. When it cannot be started the reason is written to standard error
    as runc would.
    """
    with open(file, encoding="utf-8", errors="surrogateescape") as opened:
        wanted = json.load(opened)
    try:
        inside = _Inside.of(wanted["beside"])
        # Opened before we leave: it lies outside.
        pid_file = os.open(wanted["pid_file"], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _set_namespaces(inside.namespaces)
        pid, failed = _start(wanted, inside)
    except OSError as error:
        sys.stderr.write(f"Error: the container cannot be entered: {error}\n")
        return 125
    if failed:
        number, _, reason = failed.partition(" ")
        sys.stderr.write(f"unable to start container process: exec: {reason}\n")
        return _NOT_FOUND if int(number) in (2, 20) else _NOT_EXECUTABLE
    os.write(pid_file, str(pid).encode("ascii"))
    return 0


def _set_namespaces(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        system_call("setns", descriptor, 0)


def _start(wanted: dict[str, Any], inside: _Inside) -> tuple[int, str]:
    """The process, and why it could not be started, if so."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()  # in the process namespace of the container
    if pid == 0:
        try:
            _become(wanted, inside)
        except OSError as error:
            reason = str(error.strerror).lower()
            said = f"{error.errno} {error.filename or wanted['argv'][0]}: {reason}"
            os.write(writer, said.encode("utf-8", "surrogateescape"))
        finally:
            os._exit(_NOT_FOUND)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8", errors="surrogateescape") as file:
        return pid, file.read()


def _become(wanted: dict[str, Any], inside: _Inside) -> None:
    os.setsid()
    os.fchdir(inside.root)
    os.chroot(".")
    os.chdir(wanted["cwd"])
    for number, limit in inside.limits.items():
        with contextlib.suppress(ValueError):  # higher than ours may be
            resource.setrlimit(number, limit)
    _drop_all_but(inside.capabilities)
    os.setgroups(wanted["groups"])
    os.setgid(wanted["gid"])
    os.setuid(wanted["uid"])
    os.execvpe(wanted["argv"][0], wanted["argv"], {**inside.env, **wanted["env"]})  # noqa: S606 (the point)


def _drop_all_but(capabilities: int) -> None:
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for number in range(last + 1):
        if not capabilities >> number & 1:
            system_call("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0)
