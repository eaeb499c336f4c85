"""Locks of this project on a storage, for what the storage's own locks do not keep apart.

Names of images change one after the other: buildah 1.28 writes all names of an image as it has read
them some moments before, so of two commands that name or remove at once one is undone, and a name
comes back or is lost.

Layers of an unfinished pull are removed while nobody pulls: those of a pull that goes on look the
same.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator

from .records import StorageOptions

# Seconds a lock is waited for. buildah keeps those of the storage while it writes a layer.
_PATIENCE = 60.0

Take = Callable[[int, int], object]


def names_locked(storage: StorageOptions | None) -> contextlib.AbstractContextManager[None]:
    """Keeps others from naming and removing images of this storage."""
    return _lock_if_possible(storage, "names", fcntl.LOCK_EX)


def pulling(storage: StorageOptions | None) -> contextlib.AbstractContextManager[None]:
    """Says that a pull goes on; there may be any number at a time."""
    return _lock_if_possible(storage, "pulls", fcntl.LOCK_SH)


def nobody_pulls(storage: StorageOptions) -> contextlib.AbstractContextManager[int]:
    """Waits until no pull goes on, and keeps others from beginning one.

    Raises:
        OSError: a pull went on for too long, or the lock cannot be made.
    """
    return _lock(storage, "pulls", fcntl.LOCK_EX)


@contextlib.contextmanager
def _lock_if_possible(storage: StorageOptions | None, name: str, how: int) -> Iterator[None]:
    """Without the lock, if it is not to be had: the command then tells what is wrong."""
    with contextlib.ExitStack() as held:
        if storage is not None:
            with contextlib.suppress(OSError):
                held.enter_context(_lock(storage, name, how))
        yield


def _lock(storage: StorageOptions, name: str, how: int) -> contextlib.AbstractContextManager[int]:
    directory = os.path.join(storage.root, "zlayer")
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)
    return locked(os.path.join(directory, f"{name}.lock"), how)


@contextlib.contextmanager
def locked(file: str, how: int, take: Take = fcntl.flock) -> Iterator[int]:
    """Holds a lock on a file, waited for but not without end; its descriptor.

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
