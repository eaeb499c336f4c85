"""From events to the model."""

from __future__ import annotations

from pytest_zlayer import events
from pytest_zlayer.report.model import images
from pytest_zlayer.report.recorder import Recorder

from .runs import GRAPH, START, Script, sample


def test_stages_are_reported_apart() -> None:
    build = sample().run().builds[0]
    states = [(one.name, one.state) for one in build.stages]
    assert states == [
        ("deps", "retried"),
        ("assets", "cached"),
        ("docs", "skipped"),
        ("final", "run"),
    ]


def test_waits_retries_sizes_and_logs_stand_with_their_steps() -> None:
    build = sample().run().builds[0]
    steps = {step.text.split()[0] + stage.name: step for stage, step in build.steps}
    assert steps["COPYfinal"].waited == 0.7
    assert steps["COPYfinal"].waits[0].started == START + 1.5 + 9.2
    assert [one.reason for one in steps["RUNdeps"].retries] == ["exit code 7"]
    assert (steps["RUNdeps"].attempts, steps["RUNdeps"].size) == (2, 24_000_000)
    assert steps["RUNdeps"].log == ("Collecting <b>flask</b>", "::error::not a command")


def test_a_failure_says_where_and_why() -> None:
    failed = sample().run().builds[2]
    assert failed.state == "failed"
    (step,) = [step for _, step in failed.steps]
    assert step.failure is not None
    assert (step.failure.line, step.failure.end_line, step.failure.exit_code) == (1, 2, 1)
    assert step.seconds == 2.0


def test_builds_of_the_same_image_belong_together_the_one_that_worked_first() -> None:
    found = images(sample().run())
    assert {same: [one.id for one in builds] for same, builds in found.items()} == {
        "s1": ["b1", "b2"],
        "s2": ["b3"],
    }


def test_only_tests_that_used_an_image_are_reported() -> None:
    recorder = sample()
    recorder.test("test_other.py::test_it", "passed", 1.0)
    assert [one.id for one in recorder.run().tests] == [
        "test_api.py::test_user",
        "test_api.py::test_port",
    ]


def test_a_test_that_failed_stays_failed() -> None:
    recorder = sample()
    recorder.test("test_api.py::test_port", "passed", 0.5)
    (port,) = [one for one in recorder.run().tests if one.id.endswith("port")]
    assert (port.outcome, port.seconds) == ("failed", 0.7)


def test_logs_are_bounded_and_say_so() -> None:
    recorder = Recorder(started=START, logs=True)
    build = Script(recorder)
    build.start(GRAPH[:1])
    build.stage("deps", 0)
    build.step("deps", 1, "RUN yes", log=[str(number) for number in range(5000)])
    ((_, step),) = recorder.run().builds[0].steps
    assert len(step.log) == 1000
    assert (step.log[199], step.log[200]) == ("199", "4200")
    assert step.log_omitted == 4000


def test_without_a_report_no_logs_are_kept() -> None:
    recorder = Recorder(started=START)
    build = Script(recorder)
    build.start(GRAPH[:1])
    build.step("deps", 1, "RUN yes", log=["y"])
    assert [step.log for _, step in recorder.run().builds[0].steps] == [()]


def test_a_second_try_without_damaged_layers_replaces_the_first() -> None:
    recorder = Recorder(started=START)
    build = Script(recorder)
    build.start(GRAPH[:1])
    build.stage("deps", 0)
    build.step("deps", 1, "RUN one", cached=True)
    build.shared["build_id"] = "b1-again-1"
    build.stage("deps", 0)
    build.step("deps", 1, "RUN one")
    (made,) = recorder.run().builds
    assert [step.state for _, step in made.steps] == ["run"]


def test_each_platform_has_stages_of_its_own() -> None:
    recorder = Recorder(started=START)
    build = Script(recorder)
    build.start(GRAPH[:1], platform="linux/amd64,linux/arm64")
    for number in range(2):
        build.shared["build_id"] = f"b1-{number}"
        build.stage("deps", 0)
        build.stage_done("deps", 0)
    (made,) = recorder.run().builds
    assert [one.platform for one in made.stages] == ["linux/amd64", "linux/arm64"]


def test_a_build_that_was_stopped_is_no_failure() -> None:
    recorder = Recorder(started=START)
    build = Script(recorder)
    build.start(GRAPH[:1])
    build.stage("deps", 0)
    build.tell(events.BuildFailed, message="stopped", seconds=1.0, interrupted=True)
    (made,) = recorder.run().builds
    assert (made.state, made.stages[0].state) == ("stopped", "stopped")
