"""Locks of cache keys: one thread of one process builds a layer, all others wait for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

# Seconds of waiting that are not worth a message: another build is just putting it into the store.
_SHORT = 0.3
# Seconds between two tries after that: many processes may wait, and what they wait for takes long.
_POLLING = 0.1


class KeyLocks:
    """The locks of one store. They are the operating system's, so they end with their holder.

    Args:
        directory: where the files lie that are locked.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: set[str] = set()
        self._waiting: Counter[str] = Counter()
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def hold(
        self, key: str, waiting: Callable[[], None], check: Callable[[], None]
    ) -> Iterator[None]:
        """Hold ``key`` against all other threads and processes.

        ``waiting`` is called once if it is taken, ``check`` again and again meanwhile: it raises to
        give up.
        """
        lock = filelock.FileLock(self._file(key), thread_local=False, is_singleton=False)
        try:
            lock.acquire(timeout=_SHORT, poll_interval=0.01)
        except filelock.Timeout:
            waiting()
            with self._telling(key):
                while not lock.is_locked:
                    check()
                    with contextlib.suppress(filelock.Timeout):
                        lock.acquire(timeout=0.2, poll_interval=_POLLING)
        os.utime(self._file(key))
        with self._guard:
            self._held.add(key)
        try:
            yield
        finally:
            with self._guard:
                self._held.discard(key)
            lock.release()

    @contextlib.contextmanager
    def hold_if_free(self, key: str) -> Iterator[bool]:
        """Hold ``key`` unless somebody else does; whether it is held."""
        lock = filelock.FileLock(self._file(key))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def forget(self, max_age: float) -> None:
        """Remove the files of keys that nobody has held for this many seconds.

        Whoever has just opened such a file and not locked it yet may then hold the key together
        with another one: they both build the same layer, and the storage keeps one.
        """
        oldest = time.time() - max_age
        for file in self._directory.glob("*.lock"):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    self._forget(file)

    def _forget(self, file: Path) -> None:
        with self.hold_if_free(file.stem) as free:
            if free:
                self._queue(file.stem).unlink(missing_ok=True)
                file.unlink()

    def others_wait(self) -> bool:
        """Whether another process waits for a key that this one holds."""
        with self._guard:
            held = list(self._held)
        return any(self._is_waited_for(key) and not self._waits_here(key) for key in held)

    def _waits_here(self, key: str) -> bool:
        """Whether a thread of this process waits; asked last, as it counts itself first."""
        with self._guard:
            return self._waiting[key] > 0

    def _file(self, key: str) -> Path:
        return self._directory / f"{key}.lock"

    def _queue(self, key: str) -> Path:
        """A file that everybody who waits for ``key`` holds together."""
        return self._directory / f"{key}.queue"

    @contextlib.contextmanager
    def _telling(self, key: str) -> Iterator[None]:
        with self._queue(key).open("ab") as queue, self._here(key):
            fcntl.flock(queue, fcntl.LOCK_SH)
            yield

    @contextlib.contextmanager
    def _here(self, key: str) -> Iterator[None]:
        with self._guard:
            self._waiting[key] += 1
        try:
            yield
        finally:
            with self._guard:
                self._waiting[key] -= 1

    def _is_waited_for(self, key: str) -> bool:
        try:
            with self._queue(key).open("rb") as queue:
                fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False
