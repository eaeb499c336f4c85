"""When each cached layer was used last, by whichever process: the time of a file for each key."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from pytest_zlayer.builder.cache.entries import key_of

_BASE = "base-"
# Seconds after which a layer that was noted is in the store, if it ever comes there.
_SETTLED = 3600.0
# Seconds by which clocks of machines that share a file system may differ.
_AHEAD = 86400.0


class Uses:
    """The last uses of the layers of one cache, and of the images that layers are made from.

    Args:
        directory: where their files are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._noted: set[str] = set()
        directory.mkdir(parents=True, exist_ok=True)

    def note(self, key: str) -> None:
        """Note that ``key`` was used now."""
        self._noted.add(key)
        stamp = self._directory / key
        with contextlib.suppress(OSError):  # a full disk must not fail a build that needs nothing
            stamp.touch()

    def last(self, key: str) -> float:
        """The last use of ``key``, in seconds since the epoch; now, if that is not known."""
        try:
            return moment_of(self._directory / key)
        except FileNotFoundError:
            return time.time()

    def forget(self, key: str) -> None:
        """The layers of ``key`` were removed."""
        (self._directory / key).unlink(missing_ok=True)

    def note_base(self, reference: str) -> None:
        """Note that layers made from this image may be cached from now on."""
        self.note(_base_key(reference))

    def knows_base(self, reference: str) -> bool:
        """Whether layers made from this image may be cached."""
        return (self._directory / _base_key(reference)).exists()

    def tidy(self, known: Collection[str], max_age: float, *, alone: bool) -> None:
        """Forget what is not in the store any more, and images that nothing was made from for long.

        Args:
            known: the keys in the store.
            max_age: seconds without use after which an image counts no more as one that layers are
                made from.
            alone: whether no other process uses the cache.
        """
        for stamp in self._directory.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if stamp.name.startswith(_BASE):
                    over = (alone and not known) or _age(stamp) > max_age
                else:
                    over = stamp.name not in known and (alone or self._is_over(stamp))
                if over:
                    stamp.unlink()

    def _is_over(self, stamp: Path) -> bool:
        """Whether what is not in the store was removed, and no other process may be storing it."""
        return stamp.name in self._noted or _age(stamp) > _SETTLED


def _base_key(reference: str) -> str:
    return f"{_BASE}{key_of(reference)}"


def _age(stamp: Path) -> float:
    return time.time() - moment_of(stamp)


def moment_of(stamp: Path) -> float:
    """The time of a file that tells of a use, in seconds since the epoch.

    One that lies far ahead counts as now, and gets that time: the clock has been set back since. It
    would neither grow old nor be the least recently used for as long.
    """
    now, found = time.time(), stamp.stat().st_mtime
    if found <= now + _AHEAD:
        return found
    with contextlib.suppress(OSError):
        os.utime(stamp)
    return now
