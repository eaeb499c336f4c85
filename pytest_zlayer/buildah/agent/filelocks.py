"""Locks on files that are waited for, but not without end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence

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
        os.close(descriptor)


def _try(take: Take, descriptor: int, how: int) -> bool:
    try:
        take(descriptor, how | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def changing_names(options: Sequence[str]) -> Iterator[None]:
    """Held while a command gives names to images or takes them away.

    buildah 1.28 reads an image's names, and writes them back later: of two changes at once one is
    lost, and both commands succeed.

    Args:
        options: global options of buildah, which name the storage.

    Raises:
        OSError: somebody else keeps it locked.
    """
    root = dict(zip(options[::2], options[1::2], strict=False)).get("--root")
    if root is None:
        yield
        return
    folder = os.path.join(root, "zlayer")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with locked(os.path.join(folder, "names.lock"), fcntl.LOCK_EX):
        yield
