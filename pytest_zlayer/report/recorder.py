"""From events to the model of a run."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pytest_zlayer import events
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.events import Event, LayerInfo, StageInfo
from pytest_zlayer.report.model import (
    Build,
    BuildState,
    Failure,
    Kept,
    Pull,
    Retry,
    Run,
    Stage,
    StageState,
    Step,
    StepState,
    Test,
    Transfer,
    Use,
    Wait,
)
from pytest_zlayer.report.text import place_problem, printable

_FIRST_LINES, _LAST_LINES = 200, 800  # of what a step writes
_LONGEST_LINE = 2000


class _Log:
    """The first and the last lines of a step."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._count = 0

    def add(self, text: str) -> None:
        self._count += 1
        line = printable(text)[:_LONGEST_LINE]
        (self._first if len(self._first) < _FIRST_LINES else self._last).append(line)

    def lines(self) -> tuple[str, ...]:
        return (*self._first, *self._last)

    @property
    def omitted(self) -> int:
        return self._count - len(self._first) - len(self._last)


@dataclass(slots=True)
class _Step:
    number: int
    line: int = 0
    text: str = ""
    started: float | None = None
    ended: float | None = None
    done: events.StepComplete | None = None
    failure: Failure | None = None
    attempts: int = 1
    missed: str = ""
    log: _Log = field(default_factory=_Log)
    waits: list[Wait] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)

    def freeze(self, now: float) -> Step:
        seconds = 0.0
        if self.done is not None:
            seconds = self.done.seconds
        elif self.started is not None:
            seconds = (self.ended or now) - self.started
        return Step(
            number=self.number,
            line=self.line,
            text=self.text,
            state=self._state(),
            missed=self.missed,
            started=self.started,
            seconds=seconds,
            waited=sum((one.seconds for one in self.waits), 0.0),
            attempts=self.done.attempts if self.done else self.attempts,
            size=self.done.size if self.done else None,
            log=self.log.lines(),
            log_omitted=self.log.omitted,
            waits=tuple(self.waits),
            retries=tuple(self.retries),
            failure=self.failure,
        )

    def _state(self) -> StepState:
        if self.failure is not None:
            return "failed"
        if self.done is None:
            return "stopped"
        if self.done.cached:
            return "cached"
        return "retried" if self.retries else "run"


@dataclass(slots=True)
class _Stage:
    info: StageInfo
    platform: str
    begun: bool = False
    started: float | None = None
    ended: float | None = None
    steps: dict[int, _Step] = field(default_factory=dict)

    def step(self, number: int) -> _Step:
        return self.steps.setdefault(number, _Step(number))

    def freeze(self, now: float) -> Stage:
        steps = tuple(self.steps[number].freeze(now) for number in sorted(self.steps))
        return Stage(
            index=self.info.index,
            name=self.info.name,
            base=self.info.base,
            line=self.info.line,
            needs=self.info.needs,
            needed=self.info.needed,
            state=self._state(steps),
            platform=self.platform,
            started=self.started,
            seconds=(self.ended or now) - self.started if self.started is not None else 0.0,
            steps=steps,
        )

    def _state(self, steps: tuple[Step, ...]) -> StageState:
        states = {step.state for step in steps}
        if "failed" in states:
            return "failed"
        if not self.begun:
            return "skipped"
        if self.ended is None:
            return "stopped"
        if "retried" in states:
            return "retried"
        # Instructions that only set metadata are done in no time: they say nothing of a stage.
        worked = {step.state for step in steps if step.started is not None}
        return "run" if "run" in worked or (steps and states == {"run"}) else "cached"


class _Build:
    """One build while it goes on."""

    def __init__(self, event: Event, worker: str, at: float) -> None:
        self.id = event.build_id
        self.image = event.image
        self.worker = worker
        self.started = at
        self.begun: events.BuildStarted | None = None
        self.ended: float | None = None
        self.outcome: events.BuildComplete | events.BuildFailed | None = None
        self.pulls: dict[str, Pull] = {}
        self.retries: list[Retry] = []
        self.uses: list[Use] = []
        self.transfers: list[Transfer] = []
        self.layers: tuple[LayerInfo, ...] = ()
        self._part = ""
        self._stages: dict[tuple[str, int], _Stage] = {}
        self._pulling: dict[str, float] = {}

    def begin(self, event: events.BuildStarted) -> None:
        self.begun = event

    def made(self, image_id: str) -> bool:
        """Whether it has given this image."""
        return bool(image_id) and getattr(self.outcome, "image_id", "") == image_id

    def part(self, name: str) -> None:
        """Events come from a part of the build: one platform, or a second try."""
        if name != self._part and name.startswith("again"):
            self._stages.clear()
        self._part = name

    def stage(self, name: str) -> _Stage:
        infos = {one.name: one for one in (self.begun.graph if self.begun else ())}
        info = infos.get(name)
        if info is None:
            known = [one.info for (part, _), one in self._stages.items() if part == self._part]
            info = next((one for one in known if one.name == name), None)
        if info is None:
            info = StageInfo(
                index=len(self._stages), name=name, base="", line=0, needs=(), needed=True
            )
        key = (self._part, info.index)
        return self._stages.setdefault(key, _Stage(info, self._platform()))

    def _platform(self) -> str:
        platforms = self.begun.platform.split(",") if self.begun else []
        if not self._part.isdecimal() or int(self._part) >= len(platforms):
            return ""
        return platforms[int(self._part)].strip()

    def pulling(self, reference: str, at: float) -> None:
        self._pulling[reference] = at

    def pulled(self, event: events.Pulled, at: float) -> None:
        started = self._pulling.pop(event.reference, at - event.seconds)
        self.pulls[event.reference] = Pull(
            reference=event.reference,
            started=started,
            seconds=event.seconds,
            layers=event.layers,
            size=event.size,
        )

    def freeze(self, now: float) -> Build:
        begun, outcome = self.begun, self.outcome
        return Build(
            id=self.id,
            same=begun.same if begun else "",
            image=self.image,
            image_id=outcome.image_id if isinstance(outcome, events.BuildComplete) else "",
            worker=self.worker,
            dockerfile=begun.dockerfile if begun else "",
            target=begun.target if begun else "",
            platform=begun.platform if begun else "",
            layers_only=begun.layers_only if begun else True,
            state=self._state(),
            message=outcome.message if isinstance(outcome, events.BuildFailed) else "",
            started=self.started,
            seconds=(self.ended or now) - self.started,
            stages=tuple(one.freeze(self.ended or now) for one in self._all_stages()),
            pulls=tuple(self.pulls.values()),
            retries=tuple(self.retries),
            layers=self.layers,
            uses=tuple(self.uses),
            transfers=tuple(self.transfers),
        )

    def _all_stages(self) -> list[_Stage]:
        """The stages there are, those nobody began too, in the order of the Dockerfile."""
        parts = {part for part, _ in self._stages} or {""}
        for info in self.begun.graph if self.begun else ():
            for part in parts:
                self._stages.setdefault((part, info.index), _Stage(info, ""))
        return [self._stages[key] for key in sorted(self._stages)]

    def _state(self) -> BuildState:
        outcome = self.outcome
        if outcome is None:
            return "stopped"
        if isinstance(outcome, events.BuildFailed):
            return "stopped" if outcome.interrupted else "failed"
        if self.begun is not None and not self.begun.dockerfile:
            return "ready"
        return "cached" if outcome.cached else "built"


class Recorder:
    """Takes in the events of a run, of all its processes. Safe for several threads.

    Args:
        started: when the run began.
        logs: whether to keep what steps write.
    """

    def __init__(self, *, started: float | None = None, logs: bool = False) -> None:
        self._started = time.time() if started is None else started
        self._logs = logs
        self._builds: dict[str, _Build] = {}
        self._tests: dict[str, Test] = {}
        self._place_problems: dict[str, None] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        """Whether anything was built."""
        return bool(self._builds)

    def take(self, event: Event, *, worker: str = "", at: float | None = None) -> None:
        """Take in one event of a process; ``at``: when it happened."""
        if isinstance(event, events.OutputLine) and not self._logs:
            return
        if isinstance(event, events.CachePlaceProblem):
            with self._lock:
                self._place_problems[place_problem(event)] = None
            return
        with self._lock:
            build = self._build(event, worker, time.time() if at is None else at)
            if build is not None:
                self._take(build, event, time.time() if at is None else at)

    def test(self, nodeid: str, outcome: str, seconds: float) -> None:
        """What became of a phase of a test: a failure is not forgotten for what follows."""
        with self._lock:
            before = self._tests.get(nodeid)
            if before is not None:
                seconds += before.seconds
                outcome = before.outcome if before.outcome in ("failed", "error") else outcome
            self._tests[nodeid] = Test(id=nodeid, outcome=outcome, seconds=seconds)

    def run(
        self,
        *,
        exit_status: int | None = None,
        environment: Mapping[str, str] | None = None,
        kept: tuple[Kept, ...] = (),
        left: tuple[str, ...] = (),
        shard: str = "",
        now: float | None = None,
    ) -> Run:
        """The run as it is at the moment ``now``."""
        now = time.time() if now is None else now
        with self._lock:
            builds = tuple(one.freeze(now) for one in self._builds.values())
            used = {use.test for build in builds for use in build.uses}
            tests = tuple(one for name, one in self._tests.items() if name in used)
        return Run(
            started=self._started,
            seconds=now - self._started,
            exit_status=exit_status,
            shard=shard,
            environment=environment or {},
            builds=builds,
            tests=tests,
            kept=kept,
            left=left,
            place_problems=tuple(self._place_problems),
        )

    def _build(self, event: Event, worker: str, at: float) -> _Build | None:
        name = event.build_id
        if not name:
            return self._latest(event, worker)
        if name not in self._builds:
            whole = next((one for one in self._builds if name.startswith(f"{one}-")), None)
            if whole is not None:
                self._builds[whole].part(name[len(whole) + 1 :])
                return self._builds[whole]
            self._builds[name] = _Build(event, worker, at)
        return self._builds[name]

    def _latest(self, event: Event, worker: str) -> _Build | None:
        """The build of an event that only knows its image: transfers, waits, uses."""
        wanted = getattr(event, "image_id", "")
        found = [one for one in reversed(self._builds.values()) if one.image == event.image]
        found.sort(key=lambda one: (one.made(wanted), one.worker == worker), reverse=True)
        return found[0] if found else None

    def _take(self, build: _Build, event: Event, at: float) -> None:
        match event:
            case events.BuildStarted():
                build.begin(event)
            case events.BuildComplete() | events.BuildFailed():
                build.outcome, build.ended = event, at
            case events.Pulling():
                build.pulling(event.reference, at)
            case events.Pulled():
                build.pulled(event, at)
            case events.ImageContents():
                build.layers = event.layers
            case events.LayersFetched() | events.LayersSent():
                build.transfers.append(_transfer(event, at))
            case events.ImageUsed():
                build.uses.append(Use(test=event.test, seconds=event.seconds))
            case events.StageStarted():
                stage = build.stage(event.stage)
                stage.begun, stage.started = True, at
            case events.StageComplete():
                build.stage(event.stage).ended = at
            case _:
                _take_step(build, event, at)


def _take_step(build: _Build, event: Event, at: float) -> None:
    number = getattr(event, "number", 0)
    if number == 0:
        if isinstance(event, events.StepRetry):
            build.retries.append(_retry(event, at))
        return
    step = build.stage(getattr(event, "stage", "")).step(number)
    match event:
        case events.StepStarted():
            step.line, step.text, step.started = event.line, event.text, at
        case events.StepComplete():
            step.line, step.text, step.done, step.ended = event.line, event.text, event, at
        case events.LayersMissed():
            step.missed = event.reason
        case events.StepFailed():
            step.line, step.text, step.ended = event.line, event.text, at
            step.failure, step.attempts = _failure(event), event.attempts
        case events.StepRetry():
            step.retries.append(_retry(event, at))
        case events.WaitOver():
            step.waits.append(_wait(event, at))
        case events.OutputLine():
            step.log.add(event.text)
        case _:
            pass


def _fields(event: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(event, name) for name in names}


def _retry(event: events.StepRetry, at: float) -> Retry:
    return Retry(what=event.text, at=at, **_fields(event, "attempt", "attempts", "reason", "delay"))


def _failure(event: events.StepFailed) -> Failure:
    return Failure(**_fields(event, "reason", "line", "end_line", "exit_code", "hint", "debug_id"))


def _transfer(event: events.LayersFetched | events.LayersSent, at: float) -> Transfer:
    return Transfer(
        sent=isinstance(event, events.LayersSent),
        started=at - event.seconds,
        **_fields(event, "place", "layers", "bytes", "seconds"),
    )


def _wait(event: events.WaitOver, at: float) -> Wait:
    return Wait(started=at - event.seconds, **_fields(event, "what", "reason", "seconds"))
