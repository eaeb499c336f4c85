"""When a build is to stop: because the session ends, or another stage of it has failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import IO


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


class StopEvent(threading.Event):
    """Set when it is set itself or when the session's event is."""

    def __init__(self, session: threading.Event) -> None:
        super().__init__()
        self._session = session

    def is_set(self) -> bool:
        return super().is_set() or self._session.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = 0.1 if deadline is None else min(0.1, deadline - time.monotonic())
            if left <= 0:
                return False
            super().wait(left)
        return True
