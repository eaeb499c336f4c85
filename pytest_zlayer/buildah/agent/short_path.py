"""A short name for the state of a storage: podman takes paths of 50 characters at most."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
from dataclasses import dataclass
from hashlib import sha256

from .records import StorageOptions

# podman takes no longer path for the state of a storage.
LONGEST_PATH = 50
_PREFIX = "zl-"
_NAME = re.compile(rf"{_PREFIX}[0-9a-f]{{12}}")
_LINK_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 (links that this package makes; their owner is looked at)


@dataclass(slots=True)
class ShortPath:
    """A link in a directory for temporary files, shared by all who use the same storage.

    Attributes:
        path: the link, or the state's own path where that is short enough.
    """

    path: str
    _lock: int | None = None

    @classmethod
    def of(cls, storage: StorageOptions) -> ShortPath:
        """The short name of a storage's state; it stays until everybody has released it.

        Raises:
            OSError: there is no place for a link.
        """
        if len(storage.runroot) <= LONGEST_PATH:
            return cls(storage.runroot)
        lock = os.path.join(storage.root, "zlayer", "podman.lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Shared by everybody who uses the link: the last one removes it.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _remove_dead()
        for link in short_links(storage.runroot):
            if _link_to(storage.runroot, link):
                return cls(link, descriptor)
        os.close(descriptor)
        raise FileExistsError(f"no place for a link to {storage.runroot}")

    def release(self) -> None:
        """Remove the link if nobody else uses it."""
        descriptor, self._lock = self._lock, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(self.path)
        os.close(descriptor)


def short_links(runroot: str) -> list[str]:
    """Where a link to the state of a storage may lie, the best place first.

    It has the same name in a user namespace, where this user has another number.
    """
    name = f"{_PREFIX}{sha256(os.fsencode(runroot)).hexdigest()[:12]}"
    return [os.path.join(folder, name) for folder in _LINK_FOLDERS]


def _remove_dead() -> None:
    """Remove the links of this user that lead nowhere: their storage was given up.

    They are of sessions that had no time to release them, or have left containers that were to be
    kept.
    """
    for folder in _LINK_FOLDERS:
        with contextlib.suppress(OSError):
            for name in filter(_NAME.fullmatch, os.listdir(folder)):
                _remove_if_dead(os.path.join(folder, name))


def _remove_if_dead(link: str) -> None:
    with contextlib.suppress(OSError):
        found = os.lstat(link)
        if not stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
            return
        try:
            os.stat(link)
        except FileNotFoundError:
            os.unlink(link)


def _leads(link: str, target: str) -> bool:
    """Whether a link is ours and leads there: others can write to these directories too."""
    try:
        return os.lstat(link).st_uid == os.geteuid() and os.readlink(link) == target
    except OSError:
        return False


def _link_to(target: str, link: str) -> bool:
    """Make the link, unless it is there; whether it leads there.

    What podman does when a container ends may come after the link was removed, and then makes a
    directory of this name: it goes.
    """
    with contextlib.suppress(OSError):
        found = os.lstat(link)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            shutil.rmtree(link, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.symlink(target, link)
    return _leads(link, target)
