"""Locks of cache keys: one thread of one process builds a layer, all others wait for it."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_zlayer.builder.cache.lock_file import LockFile, remove_if_free

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
        lock = LockFile(self._file(key))
        if not lock.acquire(_SHORT, pause=0.01):
            waiting()
            with self._telling(key):
                check()
                while not lock.acquire(0.2, pause=_POLLING):
                    check()
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
        lock = LockFile(self._file(key))
        free = lock.acquire()
        try:
            yield free
        finally:
            lock.release()

    def are_left(self) -> bool:
        """Whether there are files: of killed processes, or of other living ones."""
        return any(self._directory.iterdir())

    def tidy(self) -> None:
        """Remove files that killed processes have left."""
        for file in self._directory.iterdir():
            with contextlib.suppress(OSError):
                remove_if_free(file)

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
        """The file of a lock that everybody who waits for ``key`` holds together."""
        return self._directory / f"{key}.queue"

    @contextlib.contextmanager
    def _telling(self, key: str) -> Iterator[None]:
        queue = LockFile(self._queue(key), shared=True)
        with self._here(key):
            # A process that looks whether anybody waits holds it for a moment.
            while not queue.acquire(1.0, pause=0.01):
                pass
            try:
                yield
            finally:
                queue.release()

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
        queue = self._queue(key)
        return queue.exists() and not remove_if_free(queue)
