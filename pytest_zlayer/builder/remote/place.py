"""The protocol of cache places, with its errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pytest_zlayer.builder.remote.entry import Entry
from pytest_zlayer.builder.remote.trace import Trace
from pytest_zlayer.dataclass import dataclass


class PlaceError(Exception):
    """A place that cannot be used any more in this session; the message says why."""


class ReadOnlyPlace(PlaceError):
    """A place that may be read and not written, as it is for builds of strangers."""


class BusyPlace(Exception):
    """A place that asks to try again later.

    Attributes:
        wait: seconds it asks for, or ``None``.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Fetched:
    """An entry, the digest of its manifest, and the directory of its blobs.

    Each blob is named by its 64 hex digits.
    """

    entry: Entry
    digest: str
    blobs: Path


class Place(Protocol):
    """A place on another machine. Used by one thread at a time.

    All raise ``PlaceError`` or ``BusyPlace`` when the place itself fails.
    """

    def keys(self) -> frozenset[str]:
        """The keys it has entries for; none where it does not exist yet."""

    def fetch(self, key: str, max_age: float) -> Fetched | None:
        """The entry of ``key`` with all its blobs, or ``None`` when it is gone.

        Raises:
            EntryError: the entry is not usable, or older than ``max_age`` seconds: then no layer of
                it was fetched.
        """

    def trace(self, tag: str) -> Trace | None:
        """What the entry of a tag was made from, where it says so.

        Raises:
            EntryError: the entry is not usable.
        """

    def created(self, key: str) -> float | None:
        """When the entry of ``key`` was made, in seconds since the epoch; ``None``: it is gone.

        Raises:
            EntryError: the entry is not usable.
        """

    def send(
        self, entry: Entry, blobs: Path, keys: Sequence[str], check: Callable[[], None]
    ) -> int:
        """Store an entry and have these keys mean it; bytes that were sent."""

    def refresh(self, key: str, keys: Sequence[str]) -> None:
        """Name an entry that is there once more, so that retention policies see it in use."""
