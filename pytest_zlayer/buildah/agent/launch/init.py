"""The first process of a container that stays: it collects what others have left running."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import sys
from collections.abc import Sequence

from .system_calls import system_call

# The word of a command line that stands for the program given to ``init``.
PROGRAM = "zlayer-program"
# What the first process of a container writes of each process that it collects: the ``siginfo_t``
# of waitid(2) on a 64-bit machine with its signal, errno, code, pid, uid and status.
ENDED = struct.Struct("=iii4xiii4x")
# What it waits for. They are held back all the time: none comes just before it waits.
_LISTENED = (signal.SIGCHLD, signal.SIGTERM)
# From linux/capability.h.
_VERSION = 0x20080522


def init(program: str, argv: Sequence[str]) -> int:
    """Runs ``argv`` to its end, with :data:`PROGRAM` in it replaced.

    What takes its place leads to the program wherever in this process namespace it is looked up,
    also below another root: nothing has to be mounted for it, and nothing of that is left. With a
    program, the end of every other process is reported: for each an :data:`ENDED` is written to
    standard output, and it is only collected when a byte has been read from standard input.
    """
    words = list(argv)
    if program:
        descriptor = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
        where = f"/proc/{os.getpid()}/fd/{descriptor}"
        words = [where if word == PROGRAM else word for word in words]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _LISTENED)
    waiting, ready = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(ready)
        os.read(waiting, 1)
        _become(words, reads=not program)
    # Who has fewer capabilities than we could not open our files.
    _drop_capabilities()
    os.close(ready)
    while True:
        if signal.sigwait(_LISTENED) == signal.SIGTERM:
            os.kill(child, signal.SIGTERM)
            continue
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            if program and found.si_pid != child:
                _tell(found)
            _, status = os.waitpid(found.si_pid, 0)
            if found.si_pid == child:
                return _ended(status)


def _tell(found: os.waitid_result) -> None:
    told = (found.si_signo, 0, found.si_code, found.si_pid, found.si_uid, found.si_status)
    with contextlib.suppress(OSError):  # nobody is left to hear it
        os.write(1, ENDED.pack(*told))
        os.read(0, 1)


def _ended(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(words: list[str], *, reads: bool) -> None:
    try:
        if not reads:
            os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
        os.execvp(words[0], words)  # noqa: S606 (the point)
    except OSError as error:
        sys.stderr.write(f"Error: {words[0]} cannot be started: {error.strerror}\n")
    finally:
        os._exit(125)


def _drop_capabilities() -> None:
    system_call("capset", struct.pack("Ii", _VERSION, 0), bytes(24))
