"""One command and everything it starts, watched by a process of its own.

The supervisor adopts what the command leaves running, so that it knows these processes from those
of commands that run side by side. It ends the command when its lifeline closes.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .processes import (
    adopt_orphans,
    children_of,
    end_with_parent,
    kill,
    kill_children,
    take_signals,
    wait_readable,
    wake_on,
)
from .relay import RelayGuard

# How long a command may take to clean up after SIGTERM, in seconds.
GRACE = 2.0
# How long killed processes may take to go away, in seconds.
_REAPING = 5.0
# What we or Python treat specially; a command starts with none of that.
_DEFAULT_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)


@dataclass(slots=True)
class Command:
    """What to run.

    Attributes:
        argv: program and arguments; the program is looked up in the PATH of ``env``.
        env: its whole environment.
        cwd: directory to start in, or ``None``.
        descriptors: its standard input, output and error.
        wrapped: whether ``argv`` is a wrapper that ignores SIGTERM, whose child has to be told.
        relayed: whether its output passes through buildah's chroot isolation.
        lasting: whether what it leaves running goes on until the agent ends.
    """

    argv: Sequence[str]
    env: dict[str, str]
    cwd: str | None
    descriptors: Sequence[int]
    wrapped: bool
    relayed: bool
    lasting: bool = False


@dataclass(slots=True)
class _Watch:
    lifeline: int
    wakeup: int
    main: int
    wrapped: bool
    guard: RelayGuard | None
    status: int | None = None
    kill_at: float | None = None
    lifelines: list[int] = field(default_factory=list)

    def pause(self) -> float | None:
        """Seconds until something is to be done, whatever happens."""
        until_kill = None if self.kill_at is None else max(0.0, self.kill_at - time.monotonic())
        until_look = None if self.guard is None else self.guard.pause()
        return min((one for one in (until_kill, until_look) if one is not None), default=None)


def supervise(command: Command, lifeline: socket.socket, agent: int) -> int:
    """Runs a command to its end, kills what it left behind, and tells how it ended.

    The last thing written to the lifeline is one JSON object: ``status`` as of ``waitpid``, or
    ``errno`` when the program could not be started; ``strays``: how many processes were left;
    ``orphaned``: whether the agent was gone by then.
    """
    os.setsid()
    wakeup = wake_on(signal.SIGCHLD, signal.SIGTERM)
    end_with_parent(signal.SIGTERM, agent)
    if not command.lasting:  # else its orphans become the agent's children
        adopt_orphans()
    main, number = _start(command)
    for descriptor in command.descriptors:
        os.close(descriptor)
    if number:
        _tell(lifeline, {"errno": number})
        return 0
    guard = RelayGuard(main) if command.relayed else None
    watch = _Watch(lifeline.fileno(), wakeup, main, command.wrapped, guard)
    watch.lifelines = [watch.lifeline]
    while watch.status is None:
        _step(watch)
    orphaned = os.getppid() != agent
    strays = kill_children(_REAPING)
    _tell(lifeline, {"status": watch.status, "strays": strays, "orphaned": orphaned})
    return 0


def _step(watch: _Watch) -> None:
    ready = wait_readable([watch.wakeup, *watch.lifelines], watch.pause())
    told_to_end = False
    if watch.wakeup in ready:
        told_to_end = signal.SIGTERM in take_signals(watch.wakeup)
    if watch.lifeline in ready:
        watch.lifelines.clear()
        told_to_end = True
    _collect(watch)
    if watch.status is not None:
        return
    if watch.guard is not None:
        watch.guard.look()
    if told_to_end and watch.kill_at is None:
        watch.kill_at = time.monotonic() + GRACE
        if watch.guard is not None:
            watch.guard.release()
        _terminate(watch)
    elif watch.kill_at is not None and time.monotonic() >= watch.kill_at:
        kill(watch.main, signal.SIGKILL)


def _terminate(watch: _Watch) -> None:
    targets = children_of(watch.main) if watch.wrapped else []
    for pid in targets or [watch.main]:
        kill(pid, signal.SIGTERM)


def _collect(watch: _Watch) -> None:
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                if watch.guard is not None:
                    watch.guard.stopped(pid, status)
            elif pid == watch.main:
                watch.status = status
    except ChildProcessError:
        return


def _start(command: Command) -> tuple[int, int]:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(command, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        failed = file.read()
    if failed:
        os.waitpid(pid, 0)
        return 0, int(failed)
    return pid, 0


def _become(command: Command, report: int) -> None:
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in _DEFAULT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # Above all targets first: a target number may be the source of another one.
        copies = [_above(descriptor) for descriptor in command.descriptors]
        for target, copy in enumerate(copies):
            os.dup2(copy, target)
        if command.cwd is not None:
            os.chdir(command.cwd)
        os.umask(0o022)
        os.execvpe(command.argv[0], list(command.argv), command.env)  # noqa: S606 (the point)
    except OSError as error:
        os.write(report, str(error.errno or 1).encode("ascii"))
    finally:
        os._exit(127)


def _above(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def _tell(lifeline: socket.socket, outcome: dict[str, int]) -> None:
    try:
        lifeline.sendall(json.dumps(outcome).encode("ascii"))
    except OSError:
        # Nobody is left to hear it.
        return
