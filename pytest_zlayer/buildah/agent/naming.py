"""Names of images change one after the other.

buildah 1.28 writes all names of an image as it has read them some moments before: of two commands
that name or remove at once one is undone, and a name comes back or is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Sequence

from .layers import Records, Unreadable

# Seconds the lock is waited for; then the command is given all the same.
_PATIENCE = 60.0


@contextlib.contextmanager
def names_locked(options: Sequence[str]) -> Iterator[None]:
    """Holds the names of the storage that these global options of buildah name against others."""
    try:
        file = os.path.join(Records.named_by(options).root, "zlayer", "names.lock")
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (Unreadable, OSError):  # what cannot be written to is told by the command itself
        yield
        return
    try:
        _wait_for(descriptor)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may have it too
        os.close(descriptor)


def _wait_for(descriptor: int) -> None:
    until = time.monotonic() + _PATIENCE
    while not _try(descriptor) and time.monotonic() < until:
        time.sleep(0.005)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
