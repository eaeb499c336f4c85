"""Which processes use the layer cache now: one locked file for each."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pytest_zlayer.builder.cache.lock_file import LockFile, remove_if_free


class Lease:
    """This process's claim on a layer cache; it ends with the process, however that ends.

    Args:
        directory: where all leases of the store lie.
        session: whose process this is; several processes may share a session.
    """

    def __init__(self, directory: Path, session: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._session = session
        self._path = directory / f"{session}-{os.urandom(4).hex()}"
        self._lock = LockFile(self._path)
        # A process that looks whether it is held holds it for a moment.
        self._lock.acquire(timeout=math.inf)
        self._began = self._path.stat().st_mtime

    def note_use(self) -> None:
        """See that what is used now counts as used since this process began.

        If the clock has been set back, it began now.
        """
        if time.time() < self._began:
            self._path.touch()
            self._began = self._path.stat().st_mtime

    def others_began(self) -> list[float]:
        """When each other living process began (seconds since the epoch).

        One that began at a time which is still to come may count on all there is: the clock has
        been set back since.
        """
        now = time.time()
        return [began if began <= now else 0.0 for _, began in self._others()]

    def shared(self) -> bool:
        """Whether another process of this session lives."""
        return self.lives(self._session)

    def lives(self, session: str) -> bool:
        """Whether another process of a session lives."""
        return any(name.startswith(f"{session}-") for name, _ in self._others())

    def other_sessions(self) -> set[str]:
        """The sessions of other living processes."""
        return {name.rpartition("-")[0] for name, _ in self._others()}

    def alone(self) -> bool:
        """Whether no other process lives."""
        return next(self._others(), None) is None

    def _others(self) -> Iterator[tuple[str, float]]:
        """Leases of other living processes, and when they began; those of dead ones are removed."""
        for path in sorted(self._directory.iterdir()):
            if path != self._path and not remove_if_free(path):
                with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
                    yield path.name, path.stat().st_mtime

    def close(self) -> None:
        """End the claim."""
        self._lock.release()
