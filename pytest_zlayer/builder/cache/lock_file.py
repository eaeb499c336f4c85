"""A lock on a file that is there only as long as somebody holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
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
        self._process = os.getpid()

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
                if self._descriptor != descriptor:
                    os.close(descriptor)

    def _is_named(self, descriptor: int) -> bool:
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(descriptor))

    @property
    def is_held(self) -> bool:
        """Whether it was acquired and not given back."""
        return self._descriptor is not None

    def release(self) -> None:
        """Give it back; its file goes with the last holder. Does nothing when it is not held.

        When it is interrupted it can be called again.
        """
        descriptor = self._descriptor
        if descriptor is None:
            return
        if os.getpid() == self._process:  # what a forked child has of it is its parent's
            with contextlib.suppress(OSError):  # others hold it too
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_named(descriptor):  # not that of the next holder
                    self._path.unlink()
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may have it open too
        self._descriptor = None
        os.close(descriptor)


@contextlib.contextmanager
def lock_file(path: Path, *, shared: bool = False) -> Iterator[LockFile]:
    """A lock that is given back at the end of the block, however far its ``acquire`` came there.

    That holds wherever the handler of a signal raises something.
    """
    lock = LockFile(path, shared=shared)
    try:
        yield lock
    finally:
        try:
            lock.release()
        finally:
            lock.release()  # if the first call was interrupted


def remove_if_free(path: Path) -> bool:
    """Remove the file of a lock that nobody holds; whether it is gone."""
    with lock_file(path) as lock:
        return lock.acquire()
