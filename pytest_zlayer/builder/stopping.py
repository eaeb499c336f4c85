"""When a build is to stop: because the session ends, or another stage of it has failed."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from typing import IO

_MOMENT = 1.0  # seconds
_LOOKING = 0.1  # seconds


class Interrupted(Exception):
    """What was being done is to stop."""


def go_on() -> None:
    """The check of what nobody stops."""


class StoppableFile:
    """A file that is read until ``check`` raises."""

    def __init__(self, file: IO[bytes], check: Callable[[], None]) -> None:
        self._file = file
        self._check = check

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        self._check()
        return self._file.read(size)


def do_aside(work: Callable[[], object]) -> None:
    """Has something done in a thread of its own, and waits a moment for it.

    For what handlers of signals ask for. The code that a handler has interrupted goes on only after
    it, and may hold any lock, also one inside of an ``Event`` or of ``Thread.start``.
    """
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            work()
        finally:
            done.release()

    # Not threading.Thread: that takes locks here.
    _thread.start_new_thread(run, ())
    done.acquire(timeout=_MOMENT)


class StopEvent(threading.Event):
    """Set when it is set itself or when the session's event is.

    An interruption in the middle of a ``threading.Event`` can leave its lock held; here is none.
    """

    def __init__(self, session: threading.Event | None = None) -> None:
        super().__init__()
        self._session = session
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set or (self._session is not None and self._session.is_set())

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _LOOKING if deadline is None else min(_LOOKING, deadline - time.monotonic())
            if left <= 0:
                return False
            time.sleep(left)
        return True
