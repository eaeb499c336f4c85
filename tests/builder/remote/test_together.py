"""What the processes of one session know of a place together."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_zlayer.builder.remote.directory import DirectoryCache
from pytest_zlayer.builder.remote.place import Place, PlaceError
from pytest_zlayer.builder.remote.together import Listed, Together
from pytest_zlayer.builder.remote.use import PlaceUse
from pytest_zlayer.builder.stopping import Interrupted, go_on


class Broken(DirectoryCache):
    """A place that gives no list."""

    def keys(self) -> frozenset[str]:
        raise PlaceError("it is broken")


def test_the_list_is_read_by_one_of_them(tmp_path: Path) -> None:
    read: list[int] = []

    def keys() -> Iterable[str]:
        read.append(1)
        return ["a" * 64]

    found: list[Listed | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(Together(tmp_path).keys(keys, go_on)))
        for _ in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one and one.keys for one in found] == [{"a" * 64}] * 8
    assert len({one and one.at for one in found}) == 1
    assert read == [1]


def test_a_list_that_could_not_be_read_is_not_kept(tmp_path: Path) -> None:
    assert Together(tmp_path).keys(lambda: None, go_on) is None
    found = Together(tmp_path).keys(lambda: ["b"], go_on)
    assert found is not None
    assert found.keys == {"b"}


def test_what_one_gives_up_is_off_for_all_and_told_once(tmp_path: Path) -> None:
    said: list[str] = []

    def use(place: Place) -> PlaceUse[Place]:
        return PlaceUse(
            "place",
            place,
            warn=said.append,
            note=said.append,
            stop=threading.Event(),
            together=Together(tmp_path),
        )

    first, second = use(Broken(tmp_path)), use(DirectoryCache(tmp_path))
    assert first.keys() is None
    assert second.off
    assert second.keys() is None
    assert said == ["it is no longer used in this run: it is broken"]


def test_who_waits_for_another_can_be_stopped(tmp_path: Path) -> None:
    def stop() -> None:
        raise Interrupted

    with (
        Together(tmp_path).alone(go_on),
        pytest.raises(Interrupted),
        Together(tmp_path).alone(stop),
    ):
        raise AssertionError
