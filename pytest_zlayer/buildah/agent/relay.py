"""Keeping buildah's chroot isolation from losing output.

There the output of a command goes through pipes, or a terminal, to a process of buildah's, the
relay, which passes it on to us. The relay ends as soon as the process that starts the command (the
launcher) does, whatever is on its way by then. So the launcher is held at its exit until the relay
has nothing to do.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import signal
import struct
import termios
import time
from dataclasses import dataclass

from .descendants import find_launcher, read_quietly, tasks_of

_OUTPUTS = (1, 2)
# From linux/ptrace.h.
_CONT = 7
_DETACH = 17
_SEIZE = 0x4206
_LISTEN = 0x4208
_TRACE_EXIT = 0x40
_EVENT_EXIT = 6
_EVENT_STOP = 128
_STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_QUIETLY = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Seconds between two looks for a launcher: a part of how long it has been looked for already.
_SHORTEST = 0.002
_LONGEST = 0.05
_PART = 0.02
# Seconds between two looks at the relay, and how many it gets once it can write: what a command has
# left running may write for ever.
_RELAYING = 0.001
_PATIENCE = 5.0
# Seconds for which the relay of a terminal has to sleep. How much of what was written to one is
# still on its way to the other end cannot be asked.
_SETTLING = 0.1


class RelayGuard:
    """Sees to it that the relay of one command ends no earlier than it should.

    It does nothing where the launcher cannot be traced.

    Args:
        main: the process below which buildah's launcher will turn up.
    """

    def __init__(self, main: int) -> None:
        self._main = main
        self._since = time.monotonic()
        self._traced: _Traced | None = None
        self._over = False

    def pause(self) -> float | None:
        """Seconds until :meth:`look` is to be called again; ``None``: after the next signal."""
        if self._over:
            return None
        if self._traced is None:
            age = time.monotonic() - self._since
            return min(_LONGEST, max(_SHORTEST, age * _PART))
        return _RELAYING if self._traced.at_exit else None

    def look(self) -> None:
        """Goes on with whatever is to be done next."""
        if self._over:
            return
        if self._traced is None:
            self._seize()
        elif self._traced.at_exit and self._traced.relayed():
            self.release()

    def stopped(self, pid: int, status: int) -> None:
        """Takes what ``waitpid`` reported of a traced process that has stopped."""
        event = status >> 16
        number = os.WSTOPSIG(status)
        if event == _EVENT_EXIT and self._traced is not None and not self._over:
            self._traced.at_exit = True
        elif event == _EVENT_EXIT:
            _ptrace(_DETACH, pid, 0)
        elif event == _EVENT_STOP and number in _STOPPING:
            _ptrace(_LISTEN, pid, 0)
        else:
            _ptrace(_CONT, pid, 0 if event else number)

    def release(self) -> None:
        """Lets the launcher end, if it is held, and holds it no more."""
        self._over = True
        if self._traced is not None:
            if self._traced.at_exit:
                _ptrace(_DETACH, self._traced.launcher, 0)
            self._traced.close()
            self._traced = None

    def _seize(self) -> None:
        found = find_launcher(self._main)
        if found is None:
            return
        launcher, relay = found
        try:
            self._traced = _Traced.of(launcher, relay)
        except OSError:
            # Gone already, or not permitted.
            self._over = not os.path.exists(f"/proc/{launcher}")
            return
        if not _ptrace(_SEIZE, launcher, _TRACE_EXIT):
            self.release()


@dataclass(slots=True)
class _Traced:
    launcher: int
    relay: int
    # What the relay reads, and where it writes that to.
    inner: list[int]
    outer: list[int]
    has_terminal: bool = False
    at_exit: bool = False
    until: float = 0.0
    asleep_since: float = 0.0

    @classmethod
    def of(cls, launcher: int, relay: int) -> _Traced:
        made = cls(launcher, relay, [], [])
        try:
            for number in _OUTPUTS:
                made.inner.append(_reopen(launcher, number, os.O_RDONLY))
                made.outer.append(_reopen(relay, number, os.O_WRONLY))
        except OSError:
            made.close()
            raise
        made.has_terminal = all(map(os.isatty, made.inner))
        return made

    def relayed(self) -> bool:
        """Whether the relay has passed everything on, or has had the time to."""
        if not _have_room(self.outer):
            self.until = 0.0
            return False
        now = time.monotonic()
        self.until = self.until or now + _PATIENCE
        if now >= self.until:
            return True
        if self.has_terminal:
            return self._settled(now)
        return not any(map(_waiting, self.inner)) and _asleep(self.relay)

    def _settled(self, now: float) -> bool:
        if not _asleep(self.relay):
            self.asleep_since = 0.0
            return False
        self.asleep_since = self.asleep_since or now
        return now >= self.asleep_since + _SETTLING

    def close(self) -> None:
        for descriptor in (*self.inner, *self.outer):
            os.close(descriptor)
        self.inner, self.outer = [], []


def _reopen(pid: int, descriptor: int, flags: int) -> int:
    return os.open(f"/proc/{pid}/fd/{descriptor}", flags | _QUIETLY)


def _waiting(descriptor: int) -> int:
    """How many bytes nobody has read yet."""
    answer = fcntl.ioctl(descriptor, termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


def _have_room(descriptors: list[int]) -> bool:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLOUT)
    return len(poll.poll(0)) == len(descriptors)


def _asleep(pid: int) -> bool:
    """Whether there is a moment at which all threads of a process sleep (or all have ended).

    One that woke up and went to sleep again between two looks shows by its counters.
    """
    before = _threads(pid)
    return all(one[:1] == (b"S",) for one in before.values()) and _threads(pid) == before


def _threads(pid: int) -> dict[str, tuple[bytes, ...]]:
    return {thread: _activity(f"/proc/{pid}/task/{thread}/status") for thread in tasks_of(pid)}


def _activity(path: str) -> tuple[bytes, ...]:
    """State and number of context switches of a thread."""
    wanted = (b"State", b"voluntary_ctxt_switches", b"nonvoluntary_ctxt_switches")
    lines = (line.partition(b":") for line in read_quietly(path).splitlines())
    return tuple(value.split()[0] for name, _, value in lines if name in wanted)


def _ptrace(request: int, pid: int, data: int) -> bool:
    """Whether the kernel did it; a process may be gone, or tracing not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, None, data) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ESRCH, errno.EPERM, errno.EIO, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number), "ptrace")
