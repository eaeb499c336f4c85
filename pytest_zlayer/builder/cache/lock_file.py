"""A lock on a file that is there only as long as somebody holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path


class LockFile:
    """A lock of the operating system: it ends with its holder, however that ends.

    A process that gets a lock makes sure that its file still has its name, so that it can be
    removed at any time by one who holds it.

    Args:
        path: the file, made when it is needed.
        shared: any number may hold it together, as long as nobody holds it alone.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self._path = path
        self._how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._descriptor: int | None = None

    def acquire(self, timeout: float = 0.0, pause: float = 0.05) -> bool:
        """Try for so many seconds, with a pause between two tries; whether it is held now."""
        until = time.monotonic() + timeout
        while not self._try():
            if time.monotonic() >= until:
                return False
            time.sleep(pause)
        return True

    def _try(self) -> bool:
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, self._how | fcntl.LOCK_NB)
                if self._is_named(descriptor):
                    self._descriptor = descriptor
                    return True
            except BlockingIOError:
                return False
            finally:
                if self._descriptor is None:
                    os.close(descriptor)

    def _is_named(self, descriptor: int) -> bool:
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(descriptor))

    def release(self) -> None:
        """Give it back; its file goes with the last holder."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):  # others hold it too
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._path.unlink()
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may have it open too
        os.close(descriptor)


def remove_if_free(path: Path) -> bool:
    """Remove the file of a lock that nobody holds; whether it is gone."""
    lock = LockFile(path)
    free = lock.acquire()
    lock.release()
    return free
