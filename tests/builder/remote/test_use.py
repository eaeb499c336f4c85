"""Patience with a place that asks for it: bounded, whatever the programs that carry layers do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_zlayer.builder.remote.directory import DirectoryCache
from pytest_zlayer.builder.remote.place import BusyPlace
from pytest_zlayer.builder.remote.use import PlaceUse
from tests.interruptions import notices


class Busy(DirectoryCache):
    """A place that is always busy, and whose answers take some seconds of a clock of its own."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(path)
        self.seconds = seconds
        self.now = 0.0
        self.asked = 0

    def keys(self) -> frozenset[str]:
        self.asked += 1
        self.now += self.seconds
        raise BusyPlace("too many requests", 0.001)


@pytest.mark.parametrize(
    ("seconds", "asked"), [(0.0, 4), (12.0, 3), (60.0, 1)], ids=["at once", "slowly", "too slowly"]
)
def test_seconds_that_skopeo_has_waited_itself_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, asked: int
) -> None:
    place = Busy(tmp_path, seconds)
    clock = SimpleNamespace(monotonic=lambda: place.now)
    monkeypatch.setattr("pytest_zlayer.builder.remote.use.time", clock)
    said: list[str] = []
    use = PlaceUse("place", place, warn=said.append, note=said.append, stop=threading.Event())
    assert use.keys() is None
    assert use.off
    assert place.asked == asked
    assert said == ["it is no longer used in this run: too many requests"]


def test_who_waits_for_a_transfer_notices_a_signal_that_came_just_before(tmp_path: Path) -> None:
    place = DirectoryCache(tmp_path)
    use = PlaceUse("place", place, warn=print, note=print, stop=threading.Event())
    begun, over = threading.Event(), threading.Event()

    def transfer(_: DirectoryCache) -> None:
        begun.set()
        over.wait()

    waits: tuple[Callable[[], object], ...] = (
        use.keys,
        partial(use.note_key, "key"),
        partial(use.do, DirectoryCache.keys),
        partial(use.spoil, "key", "entry", "why"),
        partial(use.give_up, "why"),
    )
    thread = threading.Thread(target=use.do, args=(transfer,))
    thread.start()
    begun.wait()
    try:
        assert all(map(notices, waits))
    finally:
        over.set()
        thread.join()
