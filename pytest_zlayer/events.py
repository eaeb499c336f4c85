"""The typed stream of what a build does, for progress, reports and the event hook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEvent:
    """What all events share: the build's id and the image's label for people."""

    build_id: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStarted(BuildEvent):
    """A build begins; ``stages`` are the labels of the stages it needs."""

    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(BuildEvent):
    """Another process or thread builds the same thing; this one waits for it."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulling(BuildEvent):
    """A base image is being pulled."""

    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(BuildEvent):
    """A stage begins; ``stage`` is its name or ``stage-<index>``."""

    stage: str
    index: int
    base: str
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageComplete(BuildEvent):
    """A stage is done, after ``seconds``."""

    stage: str
    index: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(BuildEvent):
    """An instruction begins; ``number`` counts from 1 within the stage; ``text`` is one line."""

    stage: str
    number: int
    total: int
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepComplete(BuildEvent):
    """An instruction is done or was found in the cache."""

    stage: str
    number: int
    total: int
    text: str
    line: int
    cached: bool
    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLine(BuildEvent):
    """One line a step wrote, without its newline."""

    stage: str
    number: int
    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetry(BuildEvent):
    """A step failed and will be tried again after ``delay`` seconds, from a clean state."""

    stage: str
    number: int
    text: str
    line: int
    attempt: int
    attempts: int
    delay: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailed(BuildEvent):
    """The build ended without an image."""

    message: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildComplete(BuildEvent):
    """The image is there; ``cached`` when no step had to run."""

    image_id: str
    seconds: float
    cached: bool


Event: TypeAlias = (
    BuildStarted
    | Waiting
    | Pulling
    | StageStarted
    | StageComplete
    | StepStarted
    | StepComplete
    | OutputLine
    | StepRetry
    | BuildFailed
    | BuildComplete
)
