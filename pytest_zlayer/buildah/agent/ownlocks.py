"""Locks of our own, for what the storage's locks do not keep apart.

Names of images change one after the other: buildah 1.28 writes all names of an image as it has read
them some moments before, so of two commands that name or remove at once one is undone, and a name
comes back or is lost.

What a pull has left is removed while nobody pulls: the layers of a pull that goes on look the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence

from .filelocks import locked
from .layers import Records, Unreadable


def names_locked(options: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    """Holds the names of the storage that these global options of buildah name against others."""
    return _lock_if_possible(options, "names", fcntl.LOCK_EX)


def pulling(options: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    """Says that somebody pulls; any number may at a time."""
    return _lock_if_possible(options, "pulls", fcntl.LOCK_SH)


def nobody_pulls(options: Sequence[str]) -> contextlib.AbstractContextManager[int]:
    """Waits until nobody pulls, and keeps everybody from it.

    Raises:
        Unreadable: the options do not name a storage.
        OSError: somebody went on pulling, or the lock cannot be made.
    """
    return _lock(options, "pulls", fcntl.LOCK_EX)


@contextlib.contextmanager
def _lock_if_possible(options: Sequence[str], name: str, how: int) -> Iterator[None]:
    """Without the lock, if it is not to be had: the command then tells what is wrong."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(Unreadable, OSError):
            held.enter_context(_lock(options, name, how))
        yield


def _lock(options: Sequence[str], name: str, how: int) -> contextlib.AbstractContextManager[int]:
    directory = os.path.join(Records.named_by(options).root, "zlayer")
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)
    return locked(os.path.join(directory, f"{name}.lock"), how)
