"""What the processes of one session do together with a cache place: list it and fetch from it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pytest_zlayer.builder.cache.lock_file import lock_file
from pytest_zlayer.dataclass import dataclass

_POLLING = 0.05


@dataclass(frozen=True, slots=True)
class Listed:
    """The keys of a place, and when it was asked for them: ``time.monotonic()``."""

    keys: frozenset[str]
    at: float


def listed(read: Callable[[], Iterable[str] | None]) -> Listed | None:
    """The keys that ``read`` gives."""
    at = time.monotonic()  # what comes meanwhile may be missing
    found = read()
    return None if found is None else Listed(frozenset(found), at)


class Together:
    """One place as all processes of a session use it: each question is asked once.

    Args:
        directory: a directory that they share, for this place alone.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._given_up = directory / "given-up"
        self._listed = directory / "keys.json"
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def blobs(self) -> Path:
        """Where what is fetched lies, until the last of them ends."""
        return self._directory / "fetched"

    @property
    def given_up(self) -> bool:
        """Whether one of them has found that the place is not to be used any more."""
        return self._given_up.exists()

    def give_up(self) -> None:
        """Have none of them use the place any more."""
        with contextlib.suppress(OSError):  # a full disk: the others find out for themselves
            self._given_up.touch()

    @contextlib.contextmanager
    def alone(self, check: Callable[[], None]) -> Iterator[None]:
        """Let one of them at a time work with the place: the next then finds what is there.

        ``check`` raises when this is to be waited for no longer.
        """
        with lock_file(self._directory / "lock") as lock:
            check()
            while not lock.acquire(0.2, pause=_POLLING):
                check()
            yield

    def keys(
        self, read: Callable[[], Iterable[str] | None], check: Callable[[], None]
    ) -> Listed | None:
        """The list of keys; ``read`` asks for it, in the first process that wants it."""
        with self.alone(check):
            if self.given_up:
                return None
            with contextlib.suppress(OSError, ValueError, TypeError):
                at, *keys = json.loads(self._listed.read_bytes())
                return Listed(frozenset(keys), float(at))
            found = listed(read)
            if found is not None:
                with contextlib.suppress(OSError):
                    text = json.dumps([found.at, *sorted(found.keys)])
                    self._listed.write_text(text, encoding="ascii")
            return found
