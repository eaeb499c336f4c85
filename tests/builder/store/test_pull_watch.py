"""What is reported of a pull, from the lines that buildah prints and the bytes that have come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_zlayer.builder.store.pull_watch import PullWatch
from pytest_zlayer.events import Event, Pulled, PullProgress

ONE, TWO, OTHER = (letter * 64 for letter in "abc")
MANIFEST = {
    "layers": [{"digest": f"sha256:{ONE}", "size": 1000}, {"digest": f"sha256:{TWO}", "size": 500}]
}


def watched(manifest: Mapping[str, Any] | None = None) -> tuple[PullWatch, list[Event]]:
    told: list[Event] = []
    return PullWatch(told.append, "b1", "api", "alpine", manifest), told


def progress(layers: int, came: int = 0, total: int | None = None) -> PullProgress:
    return PullProgress(
        build_id="b1", image="api", reference="alpine", layers=layers, bytes=came, total=total
    )


def test_bytes_are_told_when_more_have_come() -> None:
    watch, told = watched()
    watch.came(0)
    watch.line("stderr", f"Copying blob sha256:{ONE}")
    for size in (10, 10, 20):
        watch.came(size)
    assert told == [progress(1), progress(1, 10), progress(1, 20)]


def test_with_the_next_attempt_they_begin_anew() -> None:
    watch, told = watched()
    for size in (700, 0, 10):
        watch.came(size)
    assert told == [progress(0, 700), progress(0), progress(0, 10)]


def test_layers_that_are_there_are_not_in_the_total() -> None:
    watch, told = watched(MANIFEST)
    watch.line("stderr", f"Copying blob sha256:{ONE}")
    watch.line("stderr", f"Copying blob {TWO[:12]} skipped: already exists")
    watch.came(10)
    assert told == [progress(1, total=1500), progress(1, 10, total=1000)]


def test_of_another_image_than_was_described_no_total_is_told() -> None:
    watch, told = watched(MANIFEST)
    watch.line("stderr", f"Copying blob sha256:{OTHER}")
    assert told == [progress(1)]


def test_a_manifest_without_all_sizes_gives_no_total() -> None:
    watch, told = watched({"layers": [*MANIFEST["layers"], {"digest": f"sha256:{OTHER}"}]})
    watch.line("stderr", f"Copying blob sha256:{ONE}")
    assert told == [progress(1)]


def test_in_the_end_what_was_fetched_is_told() -> None:
    watch, told = watched()
    watch.line("stderr", f"Copying blob sha256:{TWO}")
    watch.done(lambda: MANIFEST)
    (end,) = [one for one in told if isinstance(one, Pulled)]
    assert (end.layers, end.size) == (1, 500)
