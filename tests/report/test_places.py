"""What the end of a run says of cache places."""

from __future__ import annotations

from typing import Any

from pytest_zlayer.events import CachePlaceProblem, LayersFetched, LayersSent
from pytest_zlayer.report.places import PlacesUsed


def transferred(kind: Any, place: str, layers: int, size: int) -> Any:
    return kind(
        build_id="1", image="api", key="0" * 64, place=place, layers=layers, bytes=size, seconds=1.0
    )


def test_layers_and_bytes_are_added_up_for_each_place() -> None:
    used = PlacesUsed()
    for layers in (2, 3):
        used.take(transferred(LayersFetched, "ghcr.io/o/z", layers, 1_000_000))
    used.take(transferred(LayersSent, "ghcr.io/o/z", 1, 10))
    used.take(transferred(LayersSent, "dir:/x", 4, 10))
    assert used.lines() == [
        "cache place ghcr.io/o/z: 5 layers fetched (2.0 MB), 1 layer sent",
        "cache place dir:/x: 4 layers sent",
    ]


def test_the_same_problem_of_several_processes_is_reported_once() -> None:
    used = PlacesUsed()
    problem = CachePlaceProblem(
        build_id="", image="", place="dir:/x", message="it is gone", warning=True
    )
    used.take(problem)
    used.take(problem)
    assert used.lines() == ["cache place dir:/x: it is gone"]


def test_without_places_nothing_is_said() -> None:
    assert PlacesUsed().lines() == []
