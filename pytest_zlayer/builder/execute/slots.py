"""Slots: so many steps run side by side in a session, those of earlier builds first."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

_LOOKING = 0.2  # seconds


class Slots:
    """Bounds what runs at the same time. Safe for several threads.

    Args:
        count: how many may run.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: set[tuple[int, int]] = set()
        self._numbers = itertools.count()
        self._guard = threading.Lock()
        self._changed = threading.Condition(self._guard)

    @contextlib.contextmanager
    def hold(self, rank: int, check: Callable[[], None]) -> Iterator[None]:
        """Hold a slot; of those who wait the lowest ``rank`` comes first.

        ``check`` is called again and again meanwhile: it raises to give up.
        """
        mine = (rank, next(self._numbers))
        with self._guard:  # not with the condition: its own way in can be interrupted half way
            self._waiting.add(mine)
            try:
                while not self._free or min(self._waiting) != mine:
                    self._changed.wait(_LOOKING)
                    check()
                self._free -= 1
            finally:
                self._waiting.remove(mine)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._guard:
                self._free += 1
                self._changed.notify_all()
