"""The record of a live session: a locked file that says what to remove when its owner is gone.

The lock is the liveness: the kernel drops it with the last process that holds it, however that
ended, so no process id is ever compared. The agent holds it, what watches its commands, and its
parent, which hands the open file to another agent when one is killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from typing import Any


class Journal:
    """One locked file of JSON lines; the first line is the session, the others are additions."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def create(cls, path: str, session: dict[str, Any]) -> Journal:
        """Makes the file. It gets its name only when it is locked and says all it has to."""
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        unnamed = f"{path}.{os.getpid()}.new"
        descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            journal = cls(path, descriptor)
            journal.add(session)
            os.rename(unnamed, path)
        except BaseException:
            os.unlink(unnamed)
            os.close(descriptor)
            raise
        return journal

    @classmethod
    def take_over(cls, path: str, descriptor: int) -> Journal:
        """Goes on with one that is open and locked, without a last line cut off by a crash."""
        journal = cls(path, os.dup(descriptor))
        written = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        os.ftruncate(descriptor, written.rfind(b"\n") + 1)
        os.lseek(descriptor, 0, os.SEEK_END)
        return journal

    def descriptor(self) -> int:
        """The open file once more: the session lives as long as any of them is open."""
        return os.dup(self._descriptor)

    @classmethod
    def take_dead(cls, path: str) -> Journal | None:
        """Locks the journal of a session that is dead; ``None`` when it lives or is being swept."""
        try:
            descriptor = _open(path, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(descriptor), os.stat(path))
        except OSError:
            same = False
        if same:
            return cls(path, descriptor)
        os.close(descriptor)
        return None

    def add(self, line: dict[str, Any]) -> None:
        """Appends one line, before the thing it names is made.

        Raises:
            OSError: it cannot be written. A part of it, all that fits on a full disk, does not
                stay: nothing that comes after it could be read.
        """
        data = json.dumps(line).encode("ascii") + b"\n"
        size = self.size()
        if os.write(self._descriptor, data) < len(data):
            os.ftruncate(self._descriptor, size)
            os.lseek(self._descriptor, size, os.SEEK_SET)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)

    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._descriptor).st_size

    def lines(self) -> Iterator[Any]:
        """What was written; what a crash has cut off or torn is left out, with all after it."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        with (
            os.fdopen(os.dup(self._descriptor), "rb") as file,
            contextlib.suppress(ValueError, RecursionError),
        ):
            for line in file:
                yield json.loads(line)

    def close(self) -> None:
        """Lets go of it; somebody else may try."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """The session is over and everything of it is gone."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        os.close(self._descriptor)


def is_dead(path: str) -> bool:
    """Whether this is the journal of a session that is gone and that nobody is sweeping."""
    try:
        descriptor = _open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def is_foreign(path: str) -> bool:
    """Whether something is in the place of a journal that no session of this user has made."""
    try:
        os.close(_open(path, os.O_RDONLY))
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _open(path: str, how: int) -> int:
    """Opens a journal that this user has written.

    Raises:
        OSError: it is something else: a link, a FIFO, or a file that others own or may write to.
    """
    # Without blocking: opening a FIFO waits for its other end.
    flags = how | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags)
    found = os.fstat(descriptor)
    mine = found.st_uid == os.geteuid() and not found.st_mode & 0o022
    if stat.S_ISREG(found.st_mode) and mine:
        return descriptor
    os.close(descriptor)
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
