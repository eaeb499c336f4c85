"""A run as a report sees it: builds with their stages and steps, and the tests that needed them.

Times are seconds since the epoch, durations seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Literal

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.events import LayerInfo, WaitReason

VERSION = 1

StepState = Literal["cached", "run", "retried", "failed", "stopped"]
StageState = Literal["cached", "run", "retried", "failed", "stopped", "skipped"]
BuildState = Literal["built", "cached", "ready", "failed", "stopped"]
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A time in which a step waited for ``what``."""

    what: str
    reason: WaitReason
    started: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """An attempt that failed and was followed by another one."""

    what: str
    attempt: int
    attempts: int
    reason: str
    delay: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a step failed, and where it stands.

    ``debug_id`` is what ``pytest-zlayer debug`` finds it by, on the machine that built it.
    """

    reason: str
    line: int
    end_line: int
    exit_code: int | None
    hint: str | None
    debug_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An instruction; ``started`` is ``None`` where there was nothing to do.

    ``log_omitted`` lines of what it wrote are left out in the middle of ``log``. ``missed``: why no
    other machine had its layer, where it was looked for.
    """

    number: int
    line: int
    text: str
    state: StepState
    missed: str = ""
    started: float | None = None
    seconds: float = 0.0
    waited: float = 0.0
    attempts: int = 0
    size: int | None = None
    log: tuple[str, ...] = ()
    log_omitted: int = 0
    waits: tuple[Wait, ...] = ()
    retries: tuple[Retry, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage; ``skipped``: the target does not need it, or the build ended before."""

    index: int
    name: str
    base: str
    line: int
    needs: tuple[int, ...]
    needed: bool
    state: StageState
    platform: str = ""
    started: float | None = None
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A base image that was asked for: ``layers`` of it were fetched, ``size`` bytes."""

    reference: str
    started: float
    seconds: float
    layers: int
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Layers that came from a cache place on another machine, or with ``sent`` went to one."""

    place: str
    sent: bool
    layers: int
    bytes: int
    started: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A test that got the image, after ``seconds``."""

    test: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One build in one process; builds with the same ``same`` give the same image."""

    id: str
    same: str
    image: str
    image_id: str
    worker: str
    dockerfile: str
    target: str
    platform: str
    layers_only: bool
    state: BuildState
    message: str
    started: float
    seconds: float
    stages: tuple[Stage, ...] = ()
    pulls: tuple[Pull, ...] = ()
    retries: tuple[Retry, ...] = ()
    layers: tuple[LayerInfo, ...] = ()
    uses: tuple[Use, ...] = ()
    transfers: tuple[Transfer, ...] = ()

    @property
    def steps(self) -> Iterator[tuple[Stage, Step]]:
        """All steps with their stages."""
        return ((stage, step) for stage in self.stages for step in stage.steps)

    @property
    def size(self) -> int:
        """Bytes of the image's layers, uncompressed; 0 where they are not known."""
        return sum(layer.size for layer in self.layers)

    @property
    def ran(self) -> bool:
        """Whether any step of it was run, or failed."""
        return any(
            step.state not in ("cached", "stopped") and step.started for _, step in self.steps
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test that needed an image, and what became of it."""

    id: str
    outcome: str
    seconds: float
    __test__ = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Something that stays after the run, and the command to look inside."""

    kind: str
    image: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of pytest, or one build from the command line, has built.

    Attributes:
        exit_status: of pytest; ``None`` while it is not known.
        environment: versions, isolation, storage and settings, as texts.
        left: what could not be removed.
        place_problems: what was wrong with cache places.
    """

    started: float
    seconds: float
    exit_status: int | None = None
    shard: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    builds: tuple[Build, ...] = ()
    tests: tuple[Test, ...] = ()
    kept: tuple[Kept, ...] = ()
    left: tuple[str, ...] = ()
    place_problems: tuple[str, ...] = ()


def images(run: Run) -> dict[str, list[Build]]:
    """The builds of each image, the one that did most first; layers only count as a part of it."""
    found: dict[str, list[Build]] = {}
    for build in run.builds:
        found.setdefault(build.same or build.id, []).append(build)
    return {same: sorted(builds, key=_rank) for same, builds in found.items()}


def _rank(build: Build) -> tuple[bool, bool, bool, float]:
    return build.state != "failed", not build.ran, build.layers_only, build.started
