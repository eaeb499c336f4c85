"""Locks of cache keys: one thread of one process builds a layer, all others wait for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_zlayer.builder.cache.lock_file import LockFile, lock_file, remove_if_free

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
        self._held: dict[str, LockFile] = {}
        self._waiting: dict[object, str] = {}

    @contextlib.contextmanager
    def hold(
        self, key: str, waiting: Callable[[], None], check: Callable[[], None]
    ) -> Iterator[None]:
        """Hold ``key`` against all other threads and processes.

        ``waiting`` is called once if it is taken, when others can see that it is waited for;
        ``check`` again and again meanwhile: it raises to give up.
        """
        with lock_file(self._file(key)) as lock:
            if not lock.acquire(_SHORT, pause=0.01):
                with self._telling(key):
                    waiting()
                    check()
                    while not lock.acquire(0.2, pause=_POLLING):
                        check()
            try:
                self._held[key] = lock
                yield
            finally:
                self._held.pop(key, None)

    @contextlib.contextmanager
    def hold_if_free(self, key: str) -> Iterator[bool]:
        """Hold ``key`` unless somebody else does; whether it is held."""
        with lock_file(self._file(key)) as lock:
            yield lock.acquire()

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
        held = [key for key, lock in list(self._held.items()) if lock.is_held]
        return any(self._is_waited_for(key) and not self._waits_here(key) for key in held)

    def _waits_here(self, key: str) -> bool:
        """Whether a thread of this process waits; asked last, as it counts itself first."""
        return key in list(self._waiting.values())

    def _file(self, key: str) -> Path:
        return self._directory / f"{key}.lock"

    def _queue(self, key: str) -> Path:
        """The file of a lock that everybody who waits for ``key`` holds together."""
        return self._directory / f"{key}.queue"

    @contextlib.contextmanager
    def _telling(self, key: str) -> Iterator[None]:
        me = object()
        try:
            self._waiting[me] = key
            with lock_file(self._queue(key), shared=True) as queue:
                # A process that looks whether anybody waits holds it for a moment.
                while not queue.acquire(1.0, pause=0.01):
                    pass
                yield
        finally:
            self._waiting.pop(me, None)

    def _is_waited_for(self, key: str) -> bool:
        queue = self._queue(key)
        return queue.exists() and not remove_if_free(queue)
