"""A short name for the storage's state: podman takes no path beyond 50 characters."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from pytest_zlayer.buildah.agent.services import LONGEST_PATH, link_to, short_links
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.services.errors import ServiceRefused


@dataclass(slots=True)
class ShortPath:
    """A link in a directory for temporary files, shared by all who use the same storage."""

    path: str
    _lock: int | None = None

    @classmethod
    def of(cls, runroot: Path, lock: Path) -> ShortPath:
        """The path itself where it is short enough, else a link to it.

        Raises:
            ServiceRefused: there is no place for a link.
        """
        if len(str(runroot)) <= LONGEST_PATH:
            return cls(str(runroot))
        # Shared by everybody who uses the link: the last one removes it.
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        for link in short_links(str(runroot)):
            if link_to(str(runroot), link):
                return cls(link, descriptor)
        os.close(descriptor)
        raise ServiceRefused(
            f"podman takes no path beyond {LONGEST_PATH} characters: {runroot}",
            hint="give a shorter one with --zlayer-runroot",
        )

    def release(self) -> None:
        """Remove the link if nobody else uses it."""
        descriptor, self._lock = self._lock, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(self.path)
        os.close(descriptor)
