"""Assertions on sizes, layers and waste, and how waste is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.checks.waste import LayerFile, WastedFile, wasted_files
from tests.checks.subject import HistoryEntry, Layer, Subject, failure

LAYERS = (Layer(5_000_000), Layer(1_000_000))
HISTORY = (
    HistoryEntry("FROM somewhere"),
    HistoryEntry("ENV A=1", empty=True),
    HistoryEntry("RUN make   it"),
)
WASTED = (WastedFile("/a", 100, 1), WastedFile("/big", 3_000_000, 1))


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(tmp_path, layers=LAYERS, history=HISTORY, wasted=WASTED)


def test_what_is_small_enough_passes(subject: Subject) -> None:
    subject.assert_max_size(6_000_000)
    subject.assert_max_size("6MB")
    subject.assert_max_layers(2)
    subject.assert_max_wasted("3 MiB")


def test_what_is_too_large_is_reported_with_what_makes_it_so(subject: Subject) -> None:
    assert failure(subject.assert_max_size, "5.5MB") == (
        "api: it has 6 MB, expected at most 5.5 MB (500 kB too much)\n"
        "  the largest layers:\n"
        "        5 MB  layer 1: FROM somewhere\n"
        "        1 MB  layer 2: RUN make it"
    )
    assert failure(subject.assert_max_layers, 1).splitlines()[0] == (
        "api: it has 2 layers, expected at most 1:"
    )
    assert failure(subject.assert_max_wasted, 0) == (
        "api: later layers hide or overwrite 3 MB, expected at most 0 B:\n"
        "        3 MB  /big (layer 1)\n"
        "       100 B  /a (layer 1)"
    )


def file(name: str, size: int = 1) -> LayerFile:
    return LayerFile(name, size, is_directory=False)


def folder(name: str) -> LayerFile:
    return LayerFile(name, 0, is_directory=True)


@pytest.mark.parametrize(
    ("upper", "wasted"),
    [
        ([file("etc/a", 9)], ["/etc/a"]),
        ([file("./etc/a", 9)], ["/etc/a"]),
        ([file("etc/.wh.a")], ["/etc/a"]),
        ([file(".wh.etc")], ["/etc/a", "/etc/sub/b"]),
        ([folder("etc"), file("etc/.wh..wh..opq")], ["/etc/a", "/etc/sub/b"]),
        ([file("etc")], ["/etc/a", "/etc/sub/b"]),
        ([folder("etc/a")], ["/etc/a"]),
        ([folder("etc"), file("etc/c")], []),
        ([file("etc/sub/.wh.none"), file(".wh.none")], []),
        # A layer takes away from the layers below it, never from itself.
        ([file("etc/new"), file("etc/.wh..wh..opq")], ["/etc/a", "/etc/sub/b"]),
    ],
)
def test_what_later_layers_hide_is_wasted(upper: list[LayerFile], wasted: list[str]) -> None:
    lower = [folder("etc"), file("etc/a", 5), folder("etc/sub"), file("etc/sub/b", 7)]
    found = wasted_files([lower, upper])
    assert [one.path for one in found] == wasted
    assert sum(one.size for one in found) == sum({"/etc/a": 5, "/etc/sub/b": 7}[o] for o in wasted)
    assert {one.layer for one in found} <= {1}


def test_what_is_written_three_times_is_wasted_twice() -> None:
    found = wasted_files([[file("a", 5)], [file("a", 6)], [file("a", 7)]])
    assert found == (WastedFile("/a", 5, 1), WastedFile("/a", 6, 2))
