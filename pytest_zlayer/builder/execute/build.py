"""What all stages of one build share: engine, cache, contexts, events, limits, log."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pytest_zlayer.builder.cache.entries import CachedLayers, cache_name
from pytest_zlayer.builder.cache.layer_cache import LayerCache
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.execute.slots import Slots
from pytest_zlayer.builder.model.masker import Masker
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.oci.chain import Chain, read_chain
from pytest_zlayer.builder.plan.build_plan import BuildPlan
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.builder.store.base_images import BaseImages
from pytest_zlayer.builder.store.mounted_images import MountedImages
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.platforms import Platform
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.events import BuildEvent, Event
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.builder.model.errors import BuildError
    from pytest_zlayer.builder.remote.no_places import NoRemoteCache
    from pytest_zlayer.builder.remote.sender import Batch


_LOG_SIZE = 10_000_000  # bytes
_LOG_CUT = b"[the beginning of this log was dropped: it had become too large]\n"


def make_private(directory: Path) -> None:
    """Make a directory, and those above it, for this user alone; those that are there stay."""
    for one in reversed([directory, *directory.parents]):
        if not one.exists():
            with contextlib.suppress(FileExistsError):  # by another thread or process
                one.mkdir(mode=0o700)


class BuildTimeout(ZlayerError):
    """A build took longer than its timeout allows."""


class BuildLog:
    """The log file of one build; created with the first byte written, safe for several threads.

    Only this user may read it: commands may print secrets. It keeps its newest lines.
    Where it cannot be written any more it ends: a build is worth more than its log.
    """

    def __init__(self, path: Path, masker: Masker) -> None:
        self.path = path
        self._masker = masker
        self._file: IO[bytes] | None = None
        self._ended = False
        self._guard = threading.Lock()

    def write(self, data: bytes) -> None:
        """Append whole lines, without what nobody is to read."""
        with self._guard:
            if self._ended:
                return
            try:
                self._append(self._masker.data(data))
            except OSError:
                self._ended = True

    def _append(self, data: bytes) -> None:
        if self._file is None:
            make_private(self.path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self.path, flags, 0o600), "r+b", buffering=0)
        self._file.write(data)
        if self._file.tell() > _LOG_SIZE:
            self._drop_beginning(self._file)

    @staticmethod
    def _drop_beginning(file: IO[bytes]) -> None:
        """Keep the newer half: what led to a failure stands at the end."""
        file.seek(-_LOG_SIZE // 2, os.SEEK_END)
        file.readline()
        newer = file.read()
        file.seek(0)
        file.write(_LOG_CUT + newer)
        file.truncate()

    @property
    def exists(self) -> bool:
        """Whether anything was written."""
        return self._file is not None

    def close(self, *, keep: bool) -> None:
        """Close the file, and remove it unless ``keep``."""
        with self._guard:
            self._ended = True
            if self._file is None:
                return
            self._file.close()
            self._file = None
            if not keep:
                self.path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # not empty: logs of other builds
                    self.path.parent.rmdir()


@dataclass(slots=True, kw_only=True)
class Build:
    """One build under way.

    Attributes:
        remote: the cache places on other machines.
        views: images of this build mounted for reading.
        make_scratch: gives a private directory, removed when the session ends; made at first use.
        slots: bounds the steps that run side by side in the whole session.
        rank: how many builds of the session began before: those go first.
        stop: set when the session ends early or another stage of this build failed.
        deadline: ``time.monotonic()`` value at which the build has taken too long, or ``None``.
        plans: the needed stages by index, once they are planned.
        adopted: cached layers this build has taken over.
        source_date_epoch: seconds since the epoch that every time in the image is set to.
        may_retry: asks the retry hook: ``(step text, attempt, error) -> bool | None``.
        masker: hides what nobody is to read.
        keep_container: takes over a failed step's container; false when it is not wanted.
        remember: notes what it takes to run a failed step again; the id under which it is found.
    """

    build_id: str
    plan: BuildPlan
    options: BuildOptions
    engine: Engine
    cache: LayerCache
    remote: NoRemoteCache
    views: MountedImages
    bases: BaseImages
    digests: Digests
    make_scratch: Callable[[], Path]
    log: BuildLog
    listener: Callable[[Event], None]
    slots: Slots
    rank: int
    stop: threading.Event
    may_retry: Callable[[str, int, BuildError], bool | None]
    keep_container: Callable[[str, BuildError], bool]
    remember: Callable[[StagePlan, Step], str | None]
    platform: Platform
    masker: Masker
    deadline: float | None = None
    source_date_epoch: int | None = None
    plans: Mapping[int, StagePlan] = field(default_factory=dict)
    adopted: list[CachedLayers] = field(default_factory=list)
    _count: int = 0
    _paused: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, event: Callable[..., BuildEvent], **values: Any) -> None:
        """Send an event of this build to the listener."""
        self.listener(event(build_id=self.build_id, image=self.plan.label, **values))  # type: ignore[arg-type]  # the union is closed by its constructors

    def check(self) -> None:
        """Stop here if the build is to stop or has taken too long."""
        if self.stop.is_set():
            raise Interrupted
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise self.timeout_error()

    def limit_text(self) -> str:
        """Which limit a step that was stopped has met."""
        limit = self.options.step_timeout
        over = self.deadline is not None and time.monotonic() >= self.deadline - 0.05
        if limit is None or over:
            return f"the build's timeout is {self.plan.spec.timeout:g} s"
        return f"the timeout of a step is {limit:g} s"

    def timeout_error(self) -> BuildTimeout:
        """The error that says that the build took too long."""
        return BuildTimeout(
            f"building {self.plan.label} took longer than {self.plan.spec.timeout:g} s",
            hint=self.options.wording.timeout,
        )

    def now(self) -> float:
        """The time that images and files made now get: seconds since the epoch."""
        return time.time() if self.source_date_epoch is None else self.source_date_epoch

    def time_left(self) -> float | None:
        """Seconds until the deadline, or ``None``; a step limit may shorten it."""
        limits = [self.options.step_timeout]
        if self.deadline is not None:
            limits.append(max(self.deadline - time.monotonic(), 0.01))
        known = [limit for limit in limits if limit is not None]
        return min(known) if known else None

    def cached(self, key: str) -> CachedLayers | None:
        """The layers cached under ``key`` in the store, unless this build is to use none."""
        return None if self.plan.spec.no_cache else self.cache.find(key)

    def why_missed(self, stage: StagePlan) -> tuple[str, int, str] | None:
        """Why no place has all layers of a stage.

        Returns:
            The place with the nearest entry, the first key of the stage that it does not have (by
            position), and what differs there; ``None`` where nobody was asked.
        """
        if self.plan.spec.no_cache or not self.remote.reads:
            return None
        with LOADING:
            from pytest_zlayer.builder.execute.tracing import nearest_tag, trace_of
            from pytest_zlayer.builder.remote.trace import difference

        nearest = self.remote.nearest(nearest_tag(self.plan.label, stage, str(self.platform)))
        if nearest is None:
            return None
        place, trace = nearest
        if trace is None:
            return place, 0, "no place has an entry of this stage"
        ours = trace_of(stage, self.plans, self.digests)
        number, reason = difference(ours, trace)
        below = len(ours.steps) - len(stage.layer_steps)
        if number < below:  # in a stage that this one is built from
            return place, 0, f"{ours.steps[number].text}: {reason}"
        return place, number - below, reason

    def offer(self, cached: CachedLayers, stage: StagePlan) -> None:
        """Have cached layers sent to another machine, unless it has them."""
        record = self.engine.images.inspect(cached.image)
        chain = read_chain(record.manifest, record.config)
        if cached.count is not None:
            chain = chain.lowest(cached.count)
        self.remote.offer(
            self.batch(cached.image, chain, stage, {cached.key: len(chain.layers)}, [])
        )

    def batch(
        self,
        stored: str,
        chain: Chain,
        stage: StagePlan,
        counts: Mapping[str, int],
        tags: Sequence[str],
    ) -> Batch:
        """Layers of this build for other machines; ``counts``: how many of all are each key's."""
        with LOADING:
            from pytest_zlayer.builder.execute.tracing import nearest_tag, trace_of
            from pytest_zlayer.builder.remote.sender import Batch

        base = stage.base_chain
        below = len(base.layers)
        return Batch(
            build_id=self.build_id,
            image=self.plan.label,
            stored=stored,
            chain=chain,
            base=tuple(one.diff_id for one in base.layers),
            keys={key: count - below for key, count in counts.items()},
            tags=tags,
            platform=self.platform_words,
            nearest=nearest_tag(self.plan.label, stage, str(self.platform)),
            trace=lambda: trace_of(stage, self.plans, self.digests),
        )

    @property
    def platform_words(self) -> tuple[str, str, str]:
        """Architecture, operating system and variant."""
        return self.platform.architecture, self.platform.os, self.platform.variant

    def layer_name(self, key: str) -> str:
        """The name a finished layer gets.

        Without the cache it is this process's own: nobody else may begin to use a layer that is
        going to be built again under the same key.
        """
        if self.plan.spec.no_cache:
            return f"{self.engine.temporary_images}{self.build_id}/{self.fresh_path(key[:12]).name}"
        return cache_name(key)

    def layer_added(self, key: str) -> None:
        """Note that the layer of ``key`` is in the store."""
        if not self.plan.spec.no_cache:
            self.cache.add(key)

    def spend(self, seconds: float) -> bool:
        """Take ``seconds`` from what this build may pause in all; false when it is used up."""
        with self._guard:
            self._paused += seconds
            return self._paused <= self.options.retry_max_total

    def fresh_path(self, stem: str) -> Path:
        """A path in the private directory that nobody else has been given."""
        with self._guard:
            self._count += 1
            number = self._count
        return self.make_scratch() / f"{stem}-{number}"

    @contextlib.contextmanager
    def slot(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold one of the session's slots for steps that run side by side.

        ``waiting`` is called again and again until there is one.
        """

        def check() -> None:
            waiting()
            self.check()

        with self.slots.hold(self.rank, check):
            yield
