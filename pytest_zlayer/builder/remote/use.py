"""A cache place in use: listed once, asked again where it wants that, off after a failure."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.remote.entry import EntryError
from pytest_zlayer.builder.remote.place import BusyPlace, Place, PlaceError, ReadOnlyPlace
from pytest_zlayer.builder.remote.together import Listed, Together, listed
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.waiting import held

P = TypeVar("P", bound=Place)
T = TypeVar("T")
# How often, and how many seconds in all, a place that asks for time gets some.
_TIMES = 3
_SECONDS = 30.0
_FIRST = 1.0


class PlaceUse(Generic[P]):
    """One place in one session. Whatever goes wrong with it is no error of a build.

    Args:
        name: as the user wrote it.
        place: the place.
        warn: called once when it is given up, or an entry is unusable.
        note: called once when it may only be read.
        stop: set when the session ends: nothing is waited for any more.
        known: another use of the same place, whose list of keys serves this one too.
        together: what all processes of the session do together, where there is anything.
    """

    def __init__(
        self,
        name: str,
        place: P,
        *,
        warn: Callable[[str], None],
        note: Callable[[str], None],
        stop: threading.Event,
        known: PlaceUse[P] | None = None,
        together: Together | None = None,
    ) -> None:
        self._known = known
        self._together = together
        self.name = name
        self._given_up = False
        self._place = place
        self._warn = warn
        self._note = note
        self._stop = stop
        self._keys: set[str] | None = None
        self._listed = -math.inf
        self._unusable: set[str] = set()
        self._refused: set[str] = set()
        self._waited = 0.0
        self._times = 0
        self._guard = threading.RLock()

    @property
    def off(self) -> bool:
        """Whether it is not used any more."""
        return self._given_up or (self._together is not None and self._together.given_up)

    @contextlib.contextmanager
    def alone(self, check: Callable[[], None]) -> Iterator[None]:
        """Let no other process of the session fetch from it meanwhile; ``check`` raises to end."""
        with contextlib.ExitStack() as stack:
            if self._together is not None:
                try:
                    stack.enter_context(self._together.alone(check))
                except OSError as error:
                    self.give_up(trouble(error))
            yield

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted

    def keys(self) -> set[str] | None:
        """The keys that can be had; asked for once. ``None``: the place is off."""
        if self._known is not None and not self.off:
            with contextlib.suppress(Interrupted):  # it ends before this one does
                return self._known.keys()
        with held(self._guard):
            if self._keys is None and not self.off:
                found = self._list()
                if found is not None:
                    self._keys, self._listed = set(found.keys), found.at
            return None if self.off or self._keys is None else self._keys - self._unusable

    @property
    def age(self) -> float:
        """Seconds since it was asked for its keys."""
        return time.monotonic() - self._listed

    def _list(self) -> Listed | None:
        def read() -> frozenset[str] | None:
            return self.do(lambda place: place.keys())

        together = self._together
        if together is None:
            return listed(read)
        return self.do(lambda _: together.keys(read, self._check))

    def note_key(self, key: str) -> None:
        """It has this key now."""
        if self._known is not None:
            self._known.note_key(key)
        with held(self._guard):
            if self._keys is not None:
                self._keys.add(key)

    def do(self, action: Callable[[P], T]) -> T | None:
        """``action`` with the place; ``None`` when that failed, or the place is off."""
        with held(self._guard):
            while not self.off:
                began = time.monotonic()
                try:
                    return action(self._place)
                except BusyPlace as busy:
                    self._wait(busy, time.monotonic() - began)
                except EntryError:
                    raise
                except ReadOnlyPlace as error:
                    self._give_up(self._note, f"it is read-only: {error}")
                except PlaceError as error:
                    self._give_up(self._warn, f"it is no longer used in this run: {error}")
                except EngineError as error:
                    if error.interrupted:
                        raise
                    self._give_up(self._warn, f"it is no longer used in this run: {error.message}")
                except Interrupted:
                    raise
                except OSError as error:
                    self._give_up(self._warn, f"it is no longer used in this run: {trouble(error)}")
                except (ValueError, KeyError, ZlayerError) as error:
                    self._give_up(self._warn, f"it is no longer used in this run: {error}")
            return None

    def spoil(self, key: str, entry: str, why: str) -> None:
        """Never use the entry of ``key`` in this session; of each ``entry`` that is said once."""
        with held(self._guard):
            self._unusable.add(key)
            if entry not in self._refused:
                self._refused.add(entry)
                self._warn(f"the entry {key[:12]}… is not used: {why}")

    def give_up(self, why: str) -> None:
        """Use it no more."""
        with held(self._guard):
            if not self.off:
                self._give_up(self._warn, f"it is no longer used in this run: {why}")

    def _wait(self, busy: BusyPlace, spent: float) -> None:
        """Wait as the place asks; the attempt has taken ``spent`` seconds."""
        seconds = _FIRST * 2**self._times if busy.wait is None else max(busy.wait, 0.1)
        self._times += 1
        self._waited += spent + seconds
        if self._times > _TIMES or self._waited > _SECONDS:
            self._give_up(self._warn, f"it is no longer used in this run: {busy}")
        elif self._stop.wait(seconds):
            raise Interrupted

    def _give_up(self, say: Callable[[str], None], text: str) -> None:
        self._given_up = True
        if self._together is not None:
            self._together.give_up()
        say(text)


def trouble(error: OSError) -> str:
    """Which file is in trouble, and what kind of trouble it is."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason
