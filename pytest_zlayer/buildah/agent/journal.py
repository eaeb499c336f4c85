"""The record of a live session: a locked file that says what to remove when its owner is gone.

The lock is the liveness: the kernel drops it with the last process that holds it, however that
ended, so no process id is ever compared. The agent holds it, what watches its commands, and its
parent, which hands the open file to another agent when one is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
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
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        journal = cls(path, descriptor)
        journal.add(session)
        os.rename(unnamed, path)
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
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
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
        """Appends one line, before the thing it names is made."""
        os.write(self._descriptor, json.dumps(line).encode("ascii") + b"\n")

    def lines(self) -> Iterator[dict[str, Any]]:
        """What was written; a last line cut off by a crash is left out."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        with (
            os.fdopen(os.dup(self._descriptor), "rb") as file,
            contextlib.suppress(ValueError),
        ):
            for line in file:
                yield json.loads(line)

    def remove(self) -> None:
        """The session is over and everything of it is gone."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        os.close(self._descriptor)


def is_held(path: str) -> bool:
    """Whether the session of a journal lives, or is just being swept."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
