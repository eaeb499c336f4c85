"""Builds of a run with their stages and steps, while they go on."""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import Any

from pytest_zlayer import events
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.events import Event, LayerInfo, StageInfo
from pytest_zlayer.report.model import (
    Build,
    BuildState,
    Failure,
    Pull,
    Retry,
    Stage,
    StageState,
    Step,
    StepState,
    Transfer,
    Use,
    Wait,
)
from pytest_zlayer.report.text import printable

_FIRST_LINES, _LAST_LINES = 200, 800  # of what a step writes
_LONGEST_LINE = 2000


class StepLog:
    """The first and the last lines of a step."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._count = 0

    def add(self, text: str) -> None:
        """Take in one more line."""
        self._count += 1
        line = printable(text)[:_LONGEST_LINE]
        (self._first if len(self._first) < _FIRST_LINES else self._last).append(line)

    def lines(self) -> tuple[str, ...]:
        """The lines that are kept, in order."""
        return (*self._first, *self._last)

    @property
    def omitted(self) -> int:
        """How many lines are not kept, between the first and the last."""
        return self._count - len(self._first) - len(self._last)


@dataclass(slots=True)
class UnfinishedStep:
    """One step while it goes on; times in seconds since the epoch."""

    number: int
    line: int = 0
    text: str = ""
    started: float | None = None
    ended: float | None = None
    done: events.StepComplete | None = None
    failure: Failure | None = None
    attempts: int = 1
    missed: str = ""
    log: StepLog = field(default_factory=StepLog)
    waits: list[Wait] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)

    def take(self, event: Event, at: float) -> None:
        """Take in one event of the step."""
        match event:
            case events.StepStarted():
                self.line, self.text, self.started = event.line, event.text, at
            case events.StepComplete():
                self.line, self.text, self.done, self.ended = event.line, event.text, event, at
            case events.LayersMissed():
                self.missed = event.reason
            case events.StepFailed():
                self.line, self.text, self.ended = event.line, event.text, at
                self.failure, self.attempts = _failure(event), event.attempts
            case events.StepRetry():
                self.retries.append(_retry(event, at))
            case events.WaitOver():
                self.waits.append(_wait(event, at))
            case events.OutputLine():
                self.log.add(event.text)
            case _:
                pass

    def freeze(self, now: float) -> Step:
        """The step as it is at the moment ``now``."""
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
class UnfinishedStage:
    """One stage while it goes on; times in seconds since the epoch."""

    info: StageInfo
    platform: str
    begun: bool = False
    started: float | None = None
    ended: float | None = None
    steps: dict[int, UnfinishedStep] = field(default_factory=dict)

    def step(self, number: int) -> UnfinishedStep:
        """The step of this number; a new one if nothing was known of it."""
        return self.steps.setdefault(number, UnfinishedStep(number))

    def freeze(self, now: float) -> Stage:
        """The stage with its steps as it is at the moment ``now``."""
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


class UnfinishedBuild:
    """One build while it goes on; times in seconds since the epoch.

    Args:
        event: the first one of the build.
        worker: the process that builds it.
        at: when the event happened.
    """

    def __init__(self, event: Event, worker: str, at: float) -> None:
        self.id = event.build_id
        self.image = event.image
        self.worker = worker
        self._started = at
        self._begun: events.BuildStarted | None = None
        self._ended: float | None = None
        self._outcome: events.BuildComplete | events.BuildFailed | None = None
        self._pulls: dict[str, Pull] = {}
        self._retries: list[Retry] = []
        self._uses: list[Use] = []
        self._transfers: list[Transfer] = []
        self._layers: tuple[LayerInfo, ...] = ()
        self._part = ""
        self._stages: dict[tuple[str, int], UnfinishedStage] = {}
        self._pulling: dict[str, float] = {}

    def made(self, image_id: str) -> bool:
        """Whether it has given this image."""
        return bool(image_id) and getattr(self._outcome, "image_id", "") == image_id

    def part(self, name: str) -> None:
        """Events come from a part of the build: one platform, or a second try."""
        if name != self._part and name.startswith("again"):
            self._stages.clear()
        self._part = name

    def take(self, event: Event, at: float) -> None:
        """Take in one event of the build."""
        match event:
            case events.BuildStarted():
                self._begun = event
            case events.BuildComplete() | events.BuildFailed():
                self._outcome, self._ended = event, at
            case events.Pulling():
                self._pulling[event.reference] = at
            case events.Pulled():
                self._pulled(event, at)
            case events.ImageContents():
                self._layers = event.layers
            case events.LayersFetched() | events.LayersSent():
                self._transfers.append(_transfer(event, at))
            case events.ImageUsed():
                self._uses.append(Use(test=event.test, seconds=event.seconds))
            case events.StageStarted():
                stage = self._stage(event.stage)
                stage.begun, stage.started = True, at
            case events.StageComplete():
                self._stage(event.stage).ended = at
            case _:
                self._take_step(event, at)

    def _take_step(self, event: Event, at: float) -> None:
        number = getattr(event, "number", 0)
        if number != 0:
            self._stage(getattr(event, "stage", "")).step(number).take(event, at)
        elif isinstance(event, events.StepRetry):
            self._retries.append(_retry(event, at))

    def _stage(self, name: str) -> UnfinishedStage:
        """The stage of this name; a new one if nothing was known of it."""
        infos = {one.name: one for one in (self._begun.graph if self._begun else ())}
        info = infos.get(name)
        if info is None:
            known = [one.info for (part, _), one in self._stages.items() if part == self._part]
            info = next((one for one in known if one.name == name), None)
        if info is None:
            info = StageInfo(
                index=len(self._stages), name=name, base="", line=0, needs=(), needed=True
            )
        key = (self._part, info.index)
        return self._stages.setdefault(key, UnfinishedStage(info, self._platform()))

    def _platform(self) -> str:
        platforms = self._begun.platform.split(",") if self._begun else []
        if not self._part.isdecimal() or int(self._part) >= len(platforms):
            return ""
        return platforms[int(self._part)].strip()

    def _pulled(self, event: events.Pulled, at: float) -> None:
        started = self._pulling.pop(event.reference, at - event.seconds)
        self._pulls[event.reference] = Pull(
            reference=event.reference,
            started=started,
            seconds=event.seconds,
            layers=event.layers,
            size=event.size,
        )

    def freeze(self, now: float) -> Build:
        """The build with its stages as it is at the moment ``now``."""
        begun, outcome = self._begun, self._outcome
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
            started=self._started,
            seconds=(self._ended or now) - self._started,
            stages=tuple(one.freeze(self._ended or now) for one in self._all_stages()),
            pulls=tuple(self._pulls.values()),
            retries=tuple(self._retries),
            layers=self._layers,
            uses=tuple(self._uses),
            transfers=tuple(self._transfers),
        )

    def _all_stages(self) -> list[UnfinishedStage]:
        """The stages there are, those nobody began too, in the order of the Dockerfile."""
        parts = {part for part, _ in self._stages} or {""}
        for info in self._begun.graph if self._begun else ():
            for part in parts:
                self._stages.setdefault((part, info.index), UnfinishedStage(info, ""))
        return [self._stages[key] for key in sorted(self._stages)]

    def _state(self) -> BuildState:
        outcome = self._outcome
        if outcome is None:
            return "stopped"
        if isinstance(outcome, events.BuildFailed):
            return "stopped" if outcome.interrupted else "failed"
        if self._begun is not None and not self._begun.dockerfile:
            return "ready"
        return "cached" if outcome.cached else "built"


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
