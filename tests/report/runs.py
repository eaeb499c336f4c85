"""Runs for reports: made by events as builds send them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_zlayer import events
from pytest_zlayer.report.recorder import Recorder

START = 1_700_000_000.0


def stage(index: int, name: str, *needs: int, base: str = "alpine", needed: bool = True) -> Any:
    return events.StageInfo(
        index=index, name=name, base=base, line=index * 4 + 1, needs=needs, needed=needed
    )


GRAPH = (
    stage(0, "deps"),
    stage(1, "assets", base="node"),
    stage(2, "docs", 0, base="deps", needed=False),
    stage(3, "final", 0, 1, base="deps"),
)


class Script:
    """Plays one build to a recorder; ``at`` is the moment of the next event."""

    def __init__(
        self, recorder: Recorder, build_id: str = "b1", image: str = "api", worker: str = ""
    ) -> None:
        self.recorder = recorder
        self.shared: dict[str, Any] = {"build_id": build_id, "image": image}
        self.worker = worker
        self.at = START

    def tell(self, kind: Any, **values: Any) -> None:
        event = kind(**self.shared, **values)
        self.recorder.take(event, worker=self.worker, at=self.at)

    def start(
        self, graph: Sequence[events.StageInfo] = GRAPH, *, same: str = "s1", **more: Any
    ) -> None:
        names = tuple(one.name for one in graph if one.needed)
        target = names[-1] if names else ""
        self.tell(
            events.BuildStarted, stages=names, graph=tuple(graph), dockerfile="api/Dockerfile",
            target=target, same=same, **more,
        )  # fmt: skip

    def stage(self, name: str, index: int, steps: int = 2) -> None:
        self.tell(events.StageStarted, stage=name, index=index, base="alpine", steps=steps)

    def stage_done(self, name: str, index: int, seconds: float = 1.0) -> None:
        self.tell(events.StageComplete, stage=name, index=index, seconds=seconds)

    def step(
        self,
        name: str,
        number: int,
        text: str,
        *,
        seconds: float = 1.0,
        cached: bool = False,
        log: Sequence[str] = (),
        size: int | None = None,
        attempts: int = 1,
        waits: str = "",
    ) -> None:
        known = {"stage": name, "number": number, "total": 2, "text": text, "line": number}
        if not cached:
            self.tell(events.StepStarted, **known)
        for line in log:
            self.tell(events.OutputLine, stage=name, number=number, stream="stdout", text=line)
        if waits:  # the first 0.7 seconds
            waiting = {"what": waits, "reason": "stage", "stage": name, "number": number}
            self.tell(events.Waiting, **waiting)
            self.at += 0.7
            self.tell(events.WaitOver, **waiting, seconds=0.7)
        self.at += seconds - (0.7 if waits else 0.0)
        done = {"cached": cached, "attempts": 0 if cached else attempts, "seconds": seconds}
        self.tell(events.StepComplete, **known, **done, size=size)

    def retry(self, name: str, number: int, text: str, reason: str = "exit code 7") -> None:
        more = {"attempt": 1, "attempts": 3, "delay": 0.5, "reason": reason}
        self.tell(events.StepRetry, stage=name, number=number, text=text, line=number, **more)

    def fail(self, name: str, number: int, text: str, *, log: Sequence[str] = ()) -> None:
        known = {"stage": name, "number": number, "text": text, "line": number}
        self.tell(events.StepStarted, **known, total=2)
        for line in log:
            self.tell(events.OutputLine, stage=name, number=number, stream="stderr", text=line)
        self.at += 2.0
        self.tell(
            events.StepFailed, **known, end_line=number + 1, reason="the command exited with 1",
            exit_code=1, attempts=1,
        )  # fmt: skip
        self.tell(
            events.BuildFailed,
            message=f"building {self.shared['image']} failed",
            seconds=self.at - START,
        )

    def done(self, *, cached: bool = False, image_id: str = "f" * 64, test: str = "") -> None:
        seconds = self.at - START
        self.tell(events.BuildComplete, image_id=image_id, seconds=seconds, cached=cached)
        if test:
            self.tell(events.ImageUsed, image_id=image_id, test=test, seconds=seconds)


def sample() -> Recorder:
    """One image built with everything that can happen, one from the cache, one that failed."""
    recorder = Recorder(started=START, logs=True)
    api = Script(recorder, "b1", "api", "gw0")
    api.start(same="s1")
    api.tell(events.Pulling, reference="docker.io/library/alpine:3")
    api.at += 1.5
    api.tell(
        events.Pulled, reference="docker.io/library/alpine:3", seconds=1.5, layers=1, size=3_400_000
    )
    place = {"key": "k", "place": "registry.example/cache", "bytes": 1_200_000, "seconds": 0.8}
    api.tell(events.LayersFetched, layers=2, **place)
    api.tell(events.LayersSent, layers=1, **place)
    problem = {"message": "no answer in time", "warning": True}
    recorder.take(events.CachePlaceProblem(build_id="", image="", place="/mnt/cache", **problem))
    api.stage("deps", 0)
    api.step("deps", 1, "COPY requirements.txt .", seconds=0.2, size=120)
    api.retry("deps", 2, "RUN pip install -r requirements.txt")
    api.step(
        "deps", 2, "RUN pip install -r requirements.txt", seconds=9.0, attempts=2,
        log=["Collecting <b>flask</b>", "::error::not a command"], size=24_000_000,
    )  # fmt: skip
    api.stage_done("deps", 0, 9.2)
    api.stage("assets", 1)
    api.step("assets", 1, "RUN npm ci", cached=True, seconds=0.0)
    api.stage_done("assets", 1, 0.1)
    api.stage("final", 3)
    api.step(
        "final", 1, "COPY --from=assets /out /srv", seconds=1.0, size=5_000, waits="stage assets"
    )
    api.stage_done("final", 3, 1.0)
    api.done(test="test_api.py::test_user")
    layer = events.LayerInfo(digest="sha256:" + "a" * 64, size=5_000, created_by="COPY /out /srv")
    api.tell(events.ImageContents, image_id="f" * 64, layers=(layer,))
    again = Script(recorder, "b2", "api", "gw1")
    again.at = START + 13
    again.start(same="s1")
    again.done(cached=True, test="test_api.py::test_port")
    web = Script(recorder, "b3", "web", "gw1")
    web.at = START + 2
    web.start((stage(0, "stage-0"),), same="s2")
    web.stage("stage-0", 0)
    web.fail("stage-0", 1, "RUN false", log=["the last words </script><script>alert(1)</script>"])
    recorder.test("test_api.py::test_user", "passed", 12.0)
    recorder.test("test_api.py::test_port", "failed", 0.2)
    return recorder
