"""Events as lines, without a run around them."""

from __future__ import annotations

import pytest

from pytest_zlayer import events
from pytest_zlayer.report.ci import notices
from pytest_zlayer.report.html.page import page
from pytest_zlayer.report.recorder import Recorder
from pytest_zlayer.report.running import Running
from pytest_zlayer.report.text import ProgressLines, printable

SHARED = {"build_id": "1", "image": "api"}
STEP = {**SHARED, "stage": "build", "number": 1, "total": 2, "text": "RUN make", "line": 3}
STARTED = events.BuildStarted(**SHARED, stages=("build", "last"))


def _complete(*, cached: bool = False, attempts: int = 1) -> events.StepComplete:
    return events.StepComplete(**STEP, cached=cached, attempts=attempts, seconds=2.0)


def _ended(*, cached: bool) -> events.BuildComplete:
    return events.BuildComplete(**SHARED, image_id="f", seconds=3.0, cached=cached)


def test_an_image_from_the_cache_is_not_worth_a_line():
    lines = ProgressLines("short")
    said = [lines.lines(one) for one in (STARTED, _complete(cached=True), _ended(cached=True))]
    assert said == [[], [], []]


def test_full_detail_tells_of_the_cache():
    lines = ProgressLines("full", prefix="")
    said = [*lines.lines(STARTED), *lines.lines(_complete(cached=True))]
    assert [*said, *lines.lines(_ended(cached=True))] == [
        "api: building stages build, last",
        "api: build 1/2 RUN make: cached",
        "api: from the cache in 3.0s",
    ]


def test_a_step_that_was_tried_again_says_at_which_attempt_it_was_done():
    lines = ProgressLines("full", prefix="")
    lines.lines(events.StepStarted(**STEP))
    assert lines.lines(_complete(attempts=2)) == ["api: build 1/2 done in 2.0s at attempt 2"]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (events.Waiting(**SHARED, what="stage build"), "api: waiting for stage build"),
        (events.Pulling(**SHARED, reference="alpine:3"), "api: pulling alpine:3"),
        (events.StepStarted(**STEP), "api: build 1/2 RUN make"),
    ],
)
def test_the_header_comes_with_the_first_line(event, line):
    lines = ProgressLines("short", prefix="")
    lines.lines(STARTED)
    assert lines.lines(event) == ["api: building stages build, last", line]
    assert lines.lines(event) == [line]


def test_what_a_step_waited_is_not_the_time_it_took():
    lines = ProgressLines("full", prefix="")
    step = {**SHARED, "stage": "last", "number": 1, "total": 1, "text": "COPY --from=build / /"}
    lines.lines(STARTED)
    lines.lines(events.StepStarted(**step, line=3))
    done = {"cached": False, "attempts": 1, "seconds": 9.5, "waited": 9.25}
    [line] = lines.lines(events.StepComplete(**step, line=3, **done))
    assert line.endswith("done in 0.2s")


def test_waiting_for_the_same_image_is_not_shown():
    lines = ProgressLines("short")
    assert lines.lines(events.Waiting(**SHARED, what="api")) == []


def test_a_failure_is_reported_with_its_header():
    lines = ProgressLines("short", prefix="")
    lines.lines(STARTED)
    failed = events.BuildFailed(**SHARED, message="no", seconds=1.0)
    assert lines.lines(failed) == ["api: building stages build, last", "api: failed after 1.0s"]


def test_a_build_that_was_stopped_has_not_failed():
    lines = ProgressLines("full", prefix="")
    stopped = events.BuildFailed(**SHARED, message="it", seconds=1.0, interrupted=True)
    assert lines.lines(stopped) == ["api: stopped after 1.0s"]


def test_a_quiet_one_tells_of_retries_only():
    lines = ProgressLines("quiet", prefix="")
    step = {**SHARED, "stage": "build", "number": 1, "text": "RUN make", "line": 3}
    more = {"attempt": 1, "attempts": 2, "delay": 1.0, "reason": "exit \x1b[31mcode 1\nmore"}
    assert lines.lines(STARTED) == []
    assert lines.lines(events.StepRetry(**step, **more)) == [
        "api: build RUN make (line 3): attempt 1 of 2 failed: exit code 1; trying again in 1s"
    ]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain", "plain"),
        ("10%\r50%\r100%", "100%"),
        ("done\r", "done"),
        ("\x1b[31mred\x1b[0m\x1b[2K", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("bell\x07 tab\t\x00é", "bell tab\té"),
    ],
)
def test_what_a_step_writes_is_made_printable(written, shown):
    assert printable(written) == shown


@pytest.mark.parametrize("reason", ["exit code 1", ""])
def test_an_attempt_that_failed_reads_the_same_everywhere(reason):
    step = {**SHARED, "stage": "build", "number": 1, "text": "RUN make", "line": 3}
    retry = events.StepRetry(**step, attempt=1, attempts=2, delay=1.0, reason=reason)
    recorder, running = Recorder(), Running()
    for event in (STARTED, events.StepStarted(**STEP), retry):
        recorder.take(event)
        running.take(event)
    run, said = recorder.run(), f"attempt 1 of 2 failed: {reason or 'no reason given'}"
    shown = [
        *ProgressLines("quiet").lines(retry),
        *(one.said for one in running.activities()),
        *notices(run),
        page([run]).replace("Attempt", "attempt"),
    ]
    assert [said in one for one in shown] == [True] * 4
