"""What is being built at this moment."""

from __future__ import annotations

from pytest_zlayer import events
from pytest_zlayer.report.running import Running

SHARED = {"build_id": "b1", "image": "api"}
STEP = {"stage": "build", "number": 1, "total": 2, "text": "RUN make", "line": 3}
PLACE = {"stage": "build", "number": 1}


def started(running: Running, worker: str = "", build_id: str = "b1", same: str = "s1") -> None:
    event = events.BuildStarted(build_id=build_id, image="api", stages=("build",), same=same)
    running.take(event, worker, 100.0)


def shown(running: Running) -> list[tuple[str, str, str]]:
    return [(one.image, one.doing, one.said) for one in running.activities()]


def test_a_step_with_its_last_line():
    running = Running()
    started(running)
    assert shown(running) == [("api", "preparing", "")]
    running.take(events.StepStarted(**SHARED, **STEP))
    line = {**PLACE, "stream": "stdout", "text": "10%\r20%"}
    running.take(events.OutputLine(**SHARED, **line))
    assert shown(running) == [("api", "build 1/2 RUN make", "20%")]
    done = {"cached": False, "attempts": 1, "seconds": 2.0}
    running.take(events.StepComplete(**SHARED, **STEP, **done))
    assert shown(running) == [("api", "preparing", "")]


def test_a_step_that_waits_says_for_what():
    running = Running()
    started(running, "gw1")
    running.take(events.StepStarted(**SHARED, **STEP), "gw1")
    running.take(events.Waiting(**SHARED, **PLACE, what="stage deps", reason="stage"), "gw1")
    assert shown(running) == [("[gw1] api", "build waiting for stage deps", "")]
    over = events.WaitOver(**SHARED, **PLACE, what="stage deps", reason="stage", seconds=1.0)
    running.take(over, "gw1")
    assert shown(running) == [("[gw1] api", "build 1/2 RUN make", "")]


def test_images_are_counted_once_whatever_builds_them():
    running = Running()
    running.expected = 3
    for worker in ("gw0", "gw1"):
        started(running, worker)
    assert running.headline() == "0 of 3 images done"
    done = {"seconds": 1.0, "cached": False}
    running.take(events.BuildComplete(**SHARED, image_id="", **done), "gw0")
    assert running.headline() == "0 of 3 images done"
    running.take(events.BuildComplete(**SHARED, image_id="f", **done), "gw1")
    assert running.headline() == "1 of 3 images done"
    assert not running


def test_an_image_is_not_done_when_one_worker_was_stopped_at_it():
    running = Running()
    for worker in ("gw0", "gw1"):
        started(running, worker)
    stopped = {"message": "it was stopped", "seconds": 1.0, "interrupted": True}
    running.take(events.BuildFailed(**SHARED, **stopped), "gw0")
    assert running.headline() == "0 of 1 image done"


def test_of_a_worker_that_has_ended_nothing_goes_on():
    running = Running()
    started(running, "gw0")
    started(running, "gw1")
    running.lost("gw0")
    assert [one[0] for one in shown(running)] == ["[gw1] api"]


def test_a_pull_with_its_layers():
    running = Running()
    started(running)
    running.take(events.Pulling(**SHARED, reference="alpine"))
    running.take(events.PullProgress(**SHARED, reference="alpine", layers=2))
    assert shown(running) == [("api", "pulling alpine", "layer 2")]
    come = {"reference": "alpine", "layers": 2, "bytes": 12_345_678}
    running.take(events.PullProgress(**SHARED, **come))
    assert shown(running) == [("api", "pulling alpine", "12.3 MB, layer 2")]
    running.take(events.PullProgress(**SHARED, **come, total=31_000_000))
    assert shown(running) == [("api", "pulling alpine", "12.3 MB of 31.0 MB, layer 2")]
    running.take(events.Pulled(**SHARED, reference="alpine", seconds=1.0, layers=2, size=3))
    assert shown(running) == [("api", "preparing", "")]


def test_a_pull_that_two_builds_need_has_one_line():
    running = Running()
    started(running, build_id="b1", same="s1")
    started(running, build_id="b2", same="s2")
    for other in ("b2", "b1"):
        event = events.Waiting(build_id=other, image="api", what="alpine", reason="pull")
        running.take(event, at=101.0)
    assert shown(running) == [("api", "waiting for alpine", "")]  # another process pulls it
    running.take(events.Pulling(build_id="b1", image="api", reference="alpine"), at=102.0)
    assert shown(running) == [("api", "pulling alpine", "")]
    one = {"reference": "alpine", "seconds": 1.0, "layers": 2, "size": 3}
    running.take(events.Pulled(build_id="b1", image="api", **one), at=103.0)
    assert shown(running) == [("api", "preparing", ""), ("api", "waiting for alpine", "")]
