"""The typed stream of what a build does, for progress, reports and the event hook."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEvent:
    """What all events share: the build's id and the image's label for people."""

    build_id: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageInfo:
    """A stage as the Dockerfile has it.

    Attributes:
        name: its name or ``stage-<index>``.
        base: the stage or image it is built from, variables expanded.
        needs: indexes of the stages it uses directly.
        needed: whether the target needs it; the others are not built.
    """

    index: int
    name: str
    base: str
    line: int
    needs: tuple[int, ...]
    needed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStarted(BuildEvent):
    """A build begins.

    Attributes:
        stages: labels of the stages it needs.
        dockerfile: path of the Dockerfile as shown to people; empty for a ready image.
        graph: all stages of the Dockerfile, in its order.
        target: name of the stage to build.
        platform: what the image is for.
        same: equal for builds of this run that give the same image.
        layers_only: it brings layers into the cache, and makes no image.
    """

    stages: tuple[str, ...]
    dockerfile: str = ""
    graph: tuple[StageInfo, ...] = ()
    target: str = ""
    platform: str = ""
    same: str = ""
    layers_only: bool = False


# build: somebody else builds the same; stage: one of this build; slot: enough runs side by side;
# sweep: the session ends while what killed runs have left is being removed; pull: another build
# pulls the same base image.
WaitReason: TypeAlias = Literal["build", "stage", "slot", "sweep", "pull"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(BuildEvent):
    """Something waits for ``what``; for a step, ``stage`` and ``number`` say for which."""

    what: str
    reason: WaitReason = "build"
    stage: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOver(BuildEvent):
    """What was waited for is there, after ``seconds``."""

    what: str
    seconds: float
    reason: WaitReason = "build"
    stage: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulling(BuildEvent):
    """A base image is being pulled, if it is not there.

    A build that waits until another one has pulled the same image says so by a ``Waiting``, for the
    reason ``pull``.
    """

    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress(BuildEvent):
    """A base image is on its way.

    There is one for each layer that begins to come. Where somebody watches a terminal, there is
    one for what has come meanwhile, at most four times a second.

    Attributes:
        layers: how many of its layers have begun to come, of those not there yet.
        bytes: what has come of them, as the registry holds them; 0 where nobody watches.
        total: bytes of all its layers that have to come; ``None``: unknown.
    """

    reference: str
    layers: int
    bytes: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled(BuildEvent):
    """A base image is there, after ``seconds``.

    ``layers`` of it were fetched, ``size`` bytes as the registry holds them (``None``: unknown).
    """

    reference: str
    seconds: float
    layers: int
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(BuildEvent):
    """A stage begins; ``stage`` is its name or ``stage-<index>``, ``base`` short."""

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
    """An instruction is done or was found in the cache.

    Attributes:
        attempts: how often it was run; 0 when it was cached.
        seconds: how long it took, with ``waited``: seconds it waited for something else.
        size: bytes of its layer, uncompressed; ``None`` where it has none or it is unknown.
    """

    stage: str
    number: int
    total: int
    text: str
    line: int
    cached: bool
    attempts: int
    seconds: float
    waited: float = 0.0
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed(BuildEvent):
    """An instruction failed for good; ``end_line`` is its last line in the Dockerfile.

    ``debug_id`` is what ``pytest-zlayer debug`` finds it by.
    """

    stage: str
    number: int
    text: str
    line: int
    end_line: int
    reason: str
    exit_code: int | None
    attempts: int
    hint: str | None = None
    debug_id: str | None = None


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
    """The build ended without an image; ``interrupted`` when it was stopped."""

    message: str
    seconds: float
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildComplete(BuildEvent):
    """The image is there; ``cached`` when no step had to run.

    ``image_id`` is empty when only layers were brought into the cache.
    """

    image_id: str
    seconds: float
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerInfo:
    """A layer of an image: ``size`` in bytes, uncompressed; ``created_by`` from the history."""

    digest: str
    size: int
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContents(BuildEvent):
    """What a finished image consists of; sent when a report is written."""

    image_id: str
    layers: tuple[LayerInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUsed(BuildEvent):
    """A test got an image, after ``seconds``; ``test`` is its node id."""

    image_id: str
    test: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersFetched(BuildEvent):
    """Layers that another machine has built were brought into the store.

    Attributes:
        key: the cache key they were found by.
        place: where they came from, as it was given.
        layers: how many.
        bytes: how many were transferred at the most, compressed.
        seconds: how long it took.
    """

    key: str
    place: str
    layers: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersMissed(BuildEvent):
    """No place on another machine has the layer of a step, so that it has to be run here.

    Emitted once a stage, for the first such step.

    Attributes:
        stage, number, total, text, line: the step.
        key: its cache key.
        place: where the nearest entry is, the latest of the same stage; empty if there is none.
        reason: what differs from that, one sentence.
    """

    stage: str
    number: int
    total: int
    text: str
    line: int
    key: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersSent(BuildEvent):
    """Finished layers were sent to a place; the attributes are those of ``LayersFetched``."""

    key: str
    place: str
    layers: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePlaceProblem(BuildEvent):
    """A place on another machine failed, or one of its entries cannot be used; builds go on.

    Attributes:
        place: as it was given.
        message: what happened, one sentence.
        warning: false for what is no fault, such as a place that may only be read.
    """

    place: str
    message: str
    warning: bool


Event: TypeAlias = (
    BuildStarted
    | Waiting
    | WaitOver
    | Pulling
    | PullProgress
    | Pulled
    | StageStarted
    | StageComplete
    | StepStarted
    | StepComplete
    | OutputLine
    | StepRetry
    | StepFailed
    | BuildFailed
    | BuildComplete
    | ImageContents
    | ImageUsed
    | LayersFetched
    | LayersMissed
    | LayersSent
    | CachePlaceProblem
)
