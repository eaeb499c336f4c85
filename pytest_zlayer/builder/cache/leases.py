"""Who counts on cached layers right now: one locked file for each living process."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import filelock


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
        self._path = directory / f"{session}-{secrets.token_hex(4)}"
        self._lock = filelock.FileLock(self._path, thread_local=False)
        self._lock.acquire()

    def others_began(self) -> list[float]:
        """When each other living process began (seconds since the epoch)."""
        return [path.stat().st_mtime for path in self._others()]

    def shared(self) -> bool:
        """Whether another process of this session lives."""
        return any(path.name.startswith(f"{self._session}-") for path in self._others())

    def lives(self, session: str) -> bool:
        """Whether a process of another session lives."""
        return any(path.name.startswith(f"{session}-") for path in self._others())

    def alone(self) -> bool:
        """Whether no other process lives."""
        return next(self._others(), None) is None

    def _others(self) -> Iterator[Path]:
        """Leases of other living processes; those of dead ones are removed."""
        for path in sorted(self._directory.iterdir()):
            if path == self._path:
                continue
            lock = filelock.FileLock(path)
            try:
                with lock.acquire(timeout=0):
                    path.unlink(missing_ok=True)
            except filelock.Timeout:
                with contextlib.suppress(FileNotFoundError):
                    path.stat()
                    yield path

    def close(self) -> None:
        """End the claim."""
        self._path.unlink(missing_ok=True)
        self._lock.release()
