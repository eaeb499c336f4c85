"""One command and everything it starts, watched by a process of its own.

The supervisor adopts what the command leaves running, so that it knows these processes from those
of commands that run side by side. It ends the command when its lifeline closes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from .command import Command, Detached, start
from .descendants import find_contained, find_launcher
from .orphans import Orphans
from .processes import (
    MountNamespace,
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
# Seconds between two looks whether the process in a container has begun.
_BEGINNING = 0.005
# Seconds between looks at what is left running: a shell forks first, and becomes the program later.
_LOOKS = (0.01, 0.04, 0.2, 1.0)


@dataclass(slots=True)
class _Watch:
    """What is known of the command that is watched.

    Attributes:
        lifeline: the socket to the parent; the command ends when it closes.
        wakeup: a descriptor that becomes readable with each signal.
        main: the process of the command.
        wrapped: as of the command.
        guard: keeps the relay of chroot isolation alive, where there is one.
        starting: whether ``main`` only starts the command; ``signals`` wait for that.
        contained: whether ``main`` works in a container itself.
        to_announce: whether the process in a container is to be reported when it has begun.
        namespace: the mount namespace of that process.
        orphans: the processes whose ends are to be reported.
        kill_at: when SIGKILL follows SIGTERM, as of ``time.monotonic``.
        lifelines: the descriptor of the lifeline while it is open.
        signals: numbers of signals that are to be sent.
        endings: process ids, and lines on how they have ended, that are to be reported.
        ended: status by process id, as of ``waitpid``.
    """

    lifeline: socket.socket
    wakeup: int
    main: int
    wrapped: bool
    guard: RelayGuard | None
    starting: bool = False
    contained: bool = False
    to_announce: bool = False
    namespace: MountNamespace | None = None
    orphans: Orphans | None = None
    kill_at: float | None = None
    lifelines: list[int] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    endings: list[tuple[int, str]] = field(default_factory=list)
    ended: dict[int, int] = field(default_factory=dict)

    @property
    def status(self) -> int | None:
        """How ``main`` has ended, as of ``waitpid``; ``None`` while it has not."""
        return self.ended.get(self.main)

    def pause(self) -> float | None:
        """Seconds until something is to be done, whatever happens."""
        until_kill = None if self.kill_at is None else max(0.0, self.kill_at - time.monotonic())
        until_look = None if self.guard is None else self.guard.pause()
        until_begun = _BEGINNING if self.to_announce else None
        pauses = (until_kill, until_look, until_begun)
        return min((one for one in pauses if one is not None), default=None)


def supervise(command: Command, lifeline: socket.socket, agent: int) -> int:
    """Runs a command to its end, kills what it left behind, and tells how it ended.

    Lines of JSON are written to the lifeline. For a detached or announced command the first is
    ``started``: the number of its process. The last has ``status`` as of ``waitpid``, or ``errno``
    when the program could not be started; ``strays``: how many processes were left; ``orphaned``:
    whether the agent was gone by then. One that reports has lines with ``ended`` too: how a process
    has ended that had outlived its parent; those that come after its end follow on ``remaining``.
    Lines that are read from it are objects with a ``signal`` for the command.
    """
    os.setsid()
    wakeup = wake_on(signal.SIGCHLD, signal.SIGTERM)
    end_with_parent(signal.SIGTERM, agent)
    adopt_orphans()
    main, number = start(command)
    for descriptor in command.descriptors:
        os.close(descriptor)
    if number:
        _tell(lifeline, {"errno": number})
        return 0
    guard = RelayGuard(main) if command.relayed else None
    watch = _Watch(lifeline, wakeup, main, command.wrapped, guard)
    watch.lifelines = [lifeline.fileno()]
    watch.starting = command.detached is not None
    watch.to_announce = command.announced
    watch.orphans = Orphans(os.getpid()) if command.reporting else None
    _wait(watch)
    if command.detached is not None and watch.status == 0:
        _go_on(watch, command.detached)
    orphaned = os.getppid() != agent
    if watch.namespace is not None:
        watch.namespace.end()
    goes_on = _goes_on(command, watch)
    strays = 0 if goes_on else kill_children(_REAPING)
    _tell(lifeline, {"status": watch.status or 0, "strays": strays, "orphaned": orphaned})
    if command.detached is not None:
        command.detached.forget(command.env)
    if goes_on and command.reporting and _collect(watch):
        _outlast(watch)
    return 0


def _goes_on(command: Command, watch: _Watch) -> bool:
    """Whether what the command has left running stays: not after it was asked to end.

    What starts a detached command may have been ended before anybody knew the process.
    """
    return command.lasting and (watch.kill_at is None or command.detached is None)


def _outlast(watch: _Watch) -> None:
    """Tells how what was left running ends, and kills it when nobody is to hear that any more."""
    if watch.orphans is not None:
        # Before this is reported: the parent may end them as soon as it knows.
        watch.orphans.look()
    _tell(watch.lifeline, {"remaining": True})
    pauses = iter(_LOOKS)
    # What asked the command to end may have been heard together with its end.
    while watch.kill_at is None and _collect(watch):
        ready = wait_readable([watch.wakeup, watch.lifeline.fileno()], next(pauses, None))
        if not ready and watch.orphans is not None:
            watch.orphans.look()
        if watch.wakeup in ready and signal.SIGTERM in take_signals(watch.wakeup):
            break
        if watch.lifeline.fileno() in ready and not _hear(watch):
            break
    kill_children(_REAPING)


def _wait(watch: _Watch) -> None:
    while watch.status is None:
        _step(watch)


def _go_on(watch: _Watch, detached: Detached) -> None:
    """Watches what has been started from now on."""
    watch.main = detached.pid()
    watch.starting, watch.contained = False, True
    _tell(watch.lifeline, {"started": watch.main})
    _tell_endings(watch)
    if watch.kill_at is not None:
        kill(watch.main, signal.SIGKILL)
    _pass_signals(watch)
    _wait(watch)


def _step(watch: _Watch) -> None:
    ready = wait_readable([watch.wakeup, *watch.lifelines], watch.pause())
    asked_to_end = False
    if watch.wakeup in ready:
        asked_to_end = signal.SIGTERM in take_signals(watch.wakeup)
    if watch.lifeline.fileno() in ready and not _listen(watch):
        watch.lifelines.clear()
        asked_to_end = True
    _collect(watch)
    is_new = asked_to_end and watch.kill_at is None
    if is_new:
        # Noted in any case: what has just ended may only have started the command.
        watch.kill_at = time.monotonic() + GRACE
    if watch.status is not None:
        return
    if watch.guard is not None:
        watch.guard.look()
    if watch.to_announce:
        _announce(watch)
    if is_new:
        if watch.guard is not None:
            watch.guard.release()
        _terminate(watch)
    elif watch.kill_at is not None and time.monotonic() >= watch.kill_at:
        kill(watch.main, signal.SIGKILL)


def _announce(watch: _Watch) -> None:
    """Tells of the process in the container, if it is there by now."""
    pid = find_contained(watch.main)
    if pid is not None and (namespace := MountNamespace.of(pid)) is not None:
        watch.to_announce, watch.namespace = False, namespace
        _tell(watch.lifeline, {"started": pid})


def _listen(watch: _Watch) -> bool:
    """Takes what the parent says; whether it still wants the command to run."""
    said = _hear(watch)
    watch.signals += [json.loads(line)["signal"] for line in said.splitlines()]
    _pass_signals(watch)
    return bool(said)


def _hear(watch: _Watch) -> bytes:
    try:
        return os.read(watch.lifeline.fileno(), 4096)
    except OSError:
        return b""


def _pass_signals(watch: _Watch) -> None:
    if watch.starting:
        return
    for number in watch.signals:
        for pid in _targets(watch):
            kill(pid, number)
    watch.signals.clear()


def _targets(watch: _Watch) -> list[int]:
    """The command itself: below buildah it is what its launcher has started."""
    found = None if watch.contained else find_launcher(watch.main)
    return [watch.main] if found is None else children_of(found[0])


def _terminate(watch: _Watch) -> None:
    if watch.contained:
        # Process 1 of a container does not hear anything else, unless it has asked for it.
        kill(watch.main, signal.SIGKILL)
        return
    targets = children_of(watch.main) if watch.wrapped else []
    for pid in targets or [watch.main]:
        kill(pid, signal.SIGTERM)


def _collect(watch: _Watch) -> bool:
    """Takes the children that have ended; whether there are others."""
    try:
        while True:
            if watch.orphans is not None and _has_ended():
                watch.orphans.look()
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
            if os.WIFSTOPPED(status):
                if watch.guard is not None:
                    watch.guard.stopped(pid, status)
                continue
            watch.ended[pid] = status
            if watch.orphans is not None and pid != watch.main:
                ending = watch.orphans.ending(pid, os.waitstatus_to_exitcode(status))
                watch.endings.append((pid, ending))
                _tell_endings(watch)
    except ChildProcessError:
        return False


def _tell_endings(watch: _Watch) -> None:
    if watch.starting:  # one of them may be the command itself
        return
    for pid, ending in watch.endings:
        if pid != watch.main:
            _tell(watch.lifeline, {"ended": ending})
    watch.endings.clear()


def _has_ended() -> bool:
    """Whether a child has ended that was not collected yet."""
    return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _tell(lifeline: socket.socket, news: Mapping[str, int | str]) -> None:
    try:
        lifeline.sendall(json.dumps(news).encode("ascii") + b"\n")
    except OSError:
        # Nobody is left to hear it.
        return
