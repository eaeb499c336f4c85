"""Locks on files that are waited for, but not without end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator

# Seconds a lock is waited for. buildah keeps those of the storage while it writes a layer.
_PATIENCE = 60.0

Take = Callable[[int, int], object]


@contextlib.contextmanager
def locked(file: str, how: int, take: Take = fcntl.flock) -> Iterator[int]:
    """Holds a lock; its descriptor.

    Args:
        take: ``fcntl.flock``, or ``fcntl.lockf`` for the POSIX kind, which the storage uses.

    Raises:
        OSError: it was not to be had.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        until = time.monotonic() + _PATIENCE
        while not _try(take, descriptor, how):
            if time.monotonic() >= until:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), file)
            time.sleep(0.01)
        yield descriptor
    finally:
        take(descriptor, fcntl.LOCK_UN)  # a forked child may have it open too
        os.close(descriptor)


def _try(take: Take, descriptor: int, how: int) -> bool:
    try:
        take(descriptor, how | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
