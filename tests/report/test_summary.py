"""The line at the end, and the slowest builds and steps."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_zlayer import events
from pytest_zlayer.report.model import Kept
from pytest_zlayer.report.recorder import Recorder
from pytest_zlayer.report.summary import slowest, summary_line
from pytest_zlayer.report.units import seconds_text, size_text

from .runs import START, Script, sample


def test_the_line_counts_images_not_builds() -> None:
    assert summary_line(sample().run()) == (
        "2 images: 1 built in 11.7 s, 1 failed; 1 step tried again; 3.4 MB pulled; nothing left"
    )


def test_what_stays_is_counted() -> None:
    run = sample().run(kept=(Kept(kind="image", image="api", command="x"),), left=("a volume",))
    line = summary_line(run)
    assert line is not None
    assert line.endswith("; 1 kept (see above); 1 could not be removed (see above)")


def test_all_from_the_cache() -> None:
    recorder = Recorder(started=START)
    for number in range(9):
        build = Script(recorder, f"b{number}", f"image{number}")
        build.start(same=f"s{number}")
        build.done(cached=True)
    assert summary_line(recorder.run()) == "9 images: 9 from the cache; nothing left"


def test_layers_made_ahead_are_part_of_the_image_they_are_for() -> None:
    recorder = Recorder(started=START)
    ahead = Script(recorder, "b0", "api", "gw0")
    ahead.start(same="s", layers_only=True)
    ahead.stage("deps", 0)
    ahead.step("deps", 1, "RUN make", seconds=5.0)
    ahead.done(image_id="")
    image = Script(recorder, "b1", "api", "gw1")
    image.start(same="s")
    image.done(cached=True)
    assert summary_line(recorder.run()) == "1 image: 1 built in 5.0 s; nothing left"


def test_layers_that_were_stopped_ahead_say_nothing_of_an_image_that_is_there() -> None:
    recorder = Recorder(started=START)
    ahead = Script(recorder, "b0", "api", "gw0")
    ahead.start(same="s", layers_only=True)
    ahead.tell(events.BuildFailed, message="stopped", seconds=1.0, interrupted=True)
    image = Script(recorder, "b1", "api", "gw1")
    image.start(same="s")
    image.done(cached=True)
    assert summary_line(recorder.run()) == "1 image: 1 from the cache; nothing left"


@pytest.mark.parametrize(("started", "said"), [(2.0, "1 from the cache"), (0.5, "1 failed")])
def test_an_image_that_was_asked_for_again_has_not_failed(started: float, said: str) -> None:
    """But it has where another process has built it while it failed here."""
    recorder = Recorder(started=START)
    first = Script(recorder, "b0", "api", "gw0")
    first.start(same="s")
    first.at += 1.0
    first.tell(events.BuildFailed, message="it is broken", seconds=1.0)
    second = Script(recorder, "b1", "api", "gw1")
    second.at += started
    second.start(same="s")
    second.done(cached=True)
    assert summary_line(recorder.run()) == f"1 image: {said}; nothing left"


def test_builds_side_by_side_are_not_added_up() -> None:
    recorder = Recorder(started=START)
    for number in range(2):
        build = Script(recorder, f"b{number}", f"image{number}")
        build.start(same=f"s{number}")
        build.stage("deps", 0)
        build.step("deps", 1, "RUN make", seconds=5.0)
        build.done()
    assert summary_line(recorder.run()) == "2 images: 2 built in 5.0 s; nothing left"


def test_no_image_no_line() -> None:
    assert summary_line(Recorder(started=START).run()) is None


def test_the_slowest_with_run_and_waiting_apart() -> None:
    assert slowest(sample().run(), 2) == [
        (
            "build     11.7 s  [gw0] api (run 9.5 s, waited 0.7 s, pulled 1.5 s, "
            "1 of 4 steps cached; for test_api.py::test_user)"
        ),
        "build      2.0 s  [gw1] web (run 2.0 s, waited 0.0 s, 0 of 1 step cached)",
        (
            "step       9.0 s  [gw0] api: deps 2 RUN pip install -r requirements.txt "
            "(run 9.0 s, waited 0.0 s, 2 attempts)"
        ),
        "step       2.0 s  [gw1] web: stage-0 1 RUN false (run 2.0 s, waited 0.0 s)",
    ]


def test_nought_is_all() -> None:
    run = dataclasses.replace(sample().run(), tests=())
    assert len(slowest(run, 0)) == 3 + 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (41.23, "41.2 s"), (99.96, "1 min 40 s"), (125, "2 min 05 s")],
)
def test_seconds(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (999_600, "1.0 MB"), (1_234_000_000, "1.2 GB")],
)
def test_sizes(size, text):
    assert size_text(size) == text
