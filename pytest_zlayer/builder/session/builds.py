"""Makes the image of one plan: base images, contexts and stages brought together."""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.context.sources import Sources
from pytest_zlayer.builder.copy import Fetch
from pytest_zlayer.builder.copy.remote import Fetched
from pytest_zlayer.builder.execute.build import BuildLog, Job
from pytest_zlayer.builder.execute.executor import ImageBuilder
from pytest_zlayer.builder.execute.slots import Slots
from pytest_zlayer.builder.image.built_image import BuildResult, Image
from pytest_zlayer.builder.image.keep import own_name
from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.spec import PullMode
from pytest_zlayer.builder.plan.base_finder import BaseFinder
from pytest_zlayer.builder.plan.build_plan import BuildPlan
from pytest_zlayer.builder.plan.steps import StagePlanner
from pytest_zlayer.builder.retry import Interrupted
from pytest_zlayer.builder.session.directories import cache_directory
from pytest_zlayer.builder.session.resources import Workshop
from pytest_zlayer.builder.store.base_images import BaseImages
from pytest_zlayer.builder.store.mounted_images import MountedImages
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation
from pytest_zlayer.dockerfile.stages.resolve import StageGraph
from pytest_zlayer.errors import UsageError, ZlayerError
from pytest_zlayer.events import Event, Pulling

if TYPE_CHECKING:
    from pytest_zlayer.builder.context.fetch import Fetcher

_EPOCH_NAME = "SOURCE_DATE_EPOCH"


@dataclass(frozen=True, slots=True)
class KeptContainer:
    """A failed step's container that is to stay."""

    name: str
    label: str
    step: str


class ImageMaker:
    """Makes images for one session.

    Args:
        workshop: engine, cache and store.
        tell: receives events.
        resolve_base: the hook for base images.
        may_retry: the hook for retries.
        stop: set when the session ends.
    """

    def __init__(
        self,
        workshop: Workshop,
        *,
        tell: Callable[[Event], None],
        resolve_base: Callable[[str], str | None],
        may_retry: Callable[[str, int, BuildError], bool | None],
        stop: threading.Event,
        jobs: int,
    ) -> None:
        self._workshop = workshop
        self._tell = tell
        self._resolve_base = resolve_base
        self._may_retry = may_retry
        self._stop = stop
        self._slots = Slots(jobs)
        self._ranks = itertools.count()
        self._builders: list[tuple[ImageBuilder, Sources]] = []
        self._finished: list[tuple[Job, ImageBuilder]] = []
        self.images: list[tuple[Image, tuple[str, ...]]] = []
        self.kept_containers: list[KeptContainer] = []

    def ready(self, plan: BuildPlan, ref: str, build_id: str) -> Image:
        """The ready image ``ref``: found or pulled, and never removed."""
        bases = self._bases(plan, build_id)
        base = bases.get(ref, plan.spec.pull or "missing", plan.spec.platform)
        return Image(base.id, ref, plan.label, (ref,), BuildResult(), self._workshop.store)

    def make(
        self, plan: BuildPlan, graph: StageGraph, build_id: str, *, stays: bool = False
    ) -> Image:
        """Build the image of ``plan``.

        Args:
            plan, graph: what to build.
            build_id: told with each event.
            stays: it outlives the session.

        Raises:
            BuildError, DockerfileError, UsageError, EngineError: what stopped it.
        """
        # Again without the cached layers that turn out to be damaged.
        dropped: set[str] = set()
        for number in itertools.count():
            job = self._job(plan, graph, f"{build_id}-again-{number}" if number else build_id)
            try:
                return self._make(job, graph, stays=stays)
            except ZlayerError as error:
                damaged = self._drop_unusable(job, error)
                if damaged <= dropped:
                    raise
                dropped |= damaged
        raise AssertionError  # pragma: no cover (counting has no end)

    def make_list(self, plan: BuildPlan, build_id: str) -> Image:
        """Build the image of each platform of ``plan``, and the manifest list of them."""
        engine = self._workshop.engine
        images: dict[str, Image] = {}
        for number, one in enumerate(plan.platforms):
            if one.graph is not None:
                alone = replace(one, spec=replace(one.spec, tags=()))
                made = self.make(alone, one.graph, f"{build_id}-{number}")
                images[str(one.graph.platform)] = made
        stays = self._workshop.options.stay
        name = plan.spec.tags[0] if plan.spec.tags else self._new_name()
        if not stays:
            engine.register_image(name)
        list_id = engine.manifest_create(name)
        for made in images.values():
            engine.manifest_add(name, made.name)
        for tag in plan.spec.tags[1:]:
            if not stays:
                engine.register_image(tag)
            engine.tag(name, tag)
        if stays and not plan.spec.tags:
            engine.tag(name, own_name(list_id))
        steps = tuple(step for made in images.values() for step in made.build.steps)
        seconds = sum(made.build.seconds for made in images.values())
        image = Image(
            list_id,
            name,
            plan.label,
            plan.spec.tags,
            BuildResult(steps, seconds),
            self._workshop.store,
            platforms=images,
        )
        self.images.append((image, () if stays and plan.spec.tags else plan.spec.tags or (name,)))
        return image

    def _new_name(self) -> str:
        return self._workshop.prefix + str(self._workshop.next_number())

    def _drop_unusable(self, job: Job, error: ZlayerError) -> set[str]:
        """Drop the cached layers that have become unusable; their keys."""
        trouble = error if isinstance(error, EngineError) else error.__cause__
        if not isinstance(trouble, EngineError) or trouble.failure.kind == "interrupted":
            return set()
        # Nobody is to read on from them, nor to keep them from being removed.
        self._workshop.mounted.forget(one.image for one in job.adopted)
        self._workshop.mounted.remove()
        return {one.key for one in job.adopted if job.cache.drop_if_unusable(one)}

    def _make(self, job: Job, graph: StageGraph, *, stays: bool) -> Image:
        builder = self._builder(job, graph)
        succeeded = False
        try:
            builder.build()
            image = self._finish(job, builder, stays=stays)
            succeeded = True
            return image
        finally:
            job.log.close(keep=not succeeded or self._workshop.options.log_dir is not None)
            job.views.close()
            if not succeeded:
                self._workshop.mounted.remove()

    def warm(self, plan: BuildPlan, graph: StageGraph, build_id: str) -> None:
        """Bring the layers of ``plan`` into the cache."""
        job = self._job(plan, graph, build_id)
        builder = self._builder(job, graph)
        try:
            builder.build()
            builder.store_layers()
        finally:
            job.log.close(keep=False)
            job.views.close()

    def keep_stages(self) -> None:
        """Make images of the stages that no test asked for, so that they can be kept."""
        for job, builder in self._finished:
            for index in builder.other_stages():
                builder_stage = builder.stage(index)
                self.stage_image(job, builder, index, builder_stage.plan.label)

    def close(self) -> None:
        """Give back what contexts and stages hold."""
        for builder, sources in self._builders:
            builder.close()
            sources.close()

    def _builder(self, job: Job, graph: StageGraph) -> ImageBuilder:
        spec = job.plan.spec
        found = BaseFinder(job.bases, spec.pull or "missing", spec.platform)
        sources = Sources(
            spec,
            base_image=found.image,
            mounted=job.views,
            digests=job.digests,
            scratch=job.fresh_path,
            fetch=self._fetcher(job),
        )
        planner = StagePlanner(
            graph,
            base_image=lambda index: found.base_of(graph, index, sources),
            select=sources.select,
            context_digest=sources.digest,
            image_key=lambda reference: found.image(reference).id,
            cache_mounts=spec.cache_mounts,
            network=spec.network,
            platform=str(job.platform),
        )
        plans = planner.plan()
        for one in plans.values():  # what is in daily use must not count as old
            self._workshop.cache.touch_known(step.key for step in one.steps)
        builder = ImageBuilder(job, plans, graph, sources)
        self._builders.append((builder, sources))
        return builder

    def _fetcher(self, job: Job) -> Fetch:
        """Gets URLs and git sources; what that takes is loaded with the first of them."""

        @functools.cache
        def fetcher() -> Fetcher:
            from pytest_zlayer.builder.context.fetch import Fetcher

            directory = job.fresh_path("fetched")
            directory.mkdir()
            process = self._workshop.engine.process
            return Fetcher(directory, process=process, environment=job.options.environment)

        def fetch(source: str, operation: CopyOperation) -> Fetched:
            from pytest_zlayer.builder.context.fetch import redact

            get = fetcher()
            return self._workshop.transfers.do(
                lambda _: get(source, operation), "fetch", redact(source), job.plan.label
            )

        return fetch

    def _finish(self, job: Job, builder: ImageBuilder, *, stays: bool) -> Image:
        plan = job.plan
        given = () if stays else (self._new_name(), *plan.spec.tags)
        if not stays:
            for tag in plan.spec.tags:
                self._workshop.engine.register_image(tag)
        image_id = builder.assemble(
            builder.target, lambda made: given or plan.spec.tags or (own_name(made),)
        )
        image = Image(
            id=image_id,
            name=_shown(plan.spec.tags, given) or own_name(image_id),
            label=plan.label,
            tags=plan.spec.tags,
            build=builder.result(),
            _store=self._workshop.store,
            _stage=_StageImages(self, job, builder).get,
        )
        self.images.append((image, given))
        self._finished.append((job, builder))
        return image

    def stage_image(self, job: Job, builder: ImageBuilder, index: int, stage: str) -> Image:
        """The image of one stage of a finished build."""
        name = self._new_name()
        try:
            image_id = builder.assemble(index, lambda _: (name,))
        finally:
            job.views.close()
        label = f"{job.plan.label}#{stage}"
        store = self._workshop.store
        image = Image(image_id, f"{name}:latest", label, (), builder.result(), store)
        self.images.append((image, (name,)))
        return image

    def _job(self, plan: BuildPlan, graph: StageGraph, build_id: str) -> Job:
        workshop, spec = self._workshop, plan.spec
        scratch = workshop.new_scratch(build_id)
        return Job(
            build_id=build_id,
            plan=plan,
            options=workshop.options,
            engine=workshop.engine,
            cache=workshop.cache,
            views=MountedImages(workshop.engine, workshop.mounted),
            bases=self._bases(plan, build_id),
            digests=workshop.digests,
            scratch=scratch,
            log=BuildLog(self._log_path(plan, build_id)),
            listener=self._tell,
            slots=self._slots,
            rank=next(self._ranks),
            stop=_EitherEvent(self._stop),
            may_retry=self._may_retry,
            keep_container=lambda name, step: self._keep_container(plan, name, step),
            deadline=time.monotonic() + spec.timeout if spec.timeout else None,
            source_date_epoch=self._source_date_epoch(plan),
            platform=graph.platform,
        )

    def _bases(self, plan: BuildPlan, build_id: str) -> BaseImages:
        limit = plan.spec.timeout
        deadline = None if limit is None else time.monotonic() + limit

        def pulling(reference: str) -> None:
            self._tell(Pulling(build_id=build_id, image=plan.label, reference=reference))

        def check() -> None:
            if self._stop.is_set():
                raise Interrupted

        def pull(reference: str, mode: PullMode, platform: str | None) -> str:
            key = "pull-" + hashlib.sha256(reference.encode()).hexdigest()[:32]

            def once(timeout: float | None) -> str:
                return self._workshop.engine.pull(
                    reference, policy=mode, platform=platform, timeout=timeout
                )

            with self._workshop.cache.locks.hold(key, lambda: None, check):
                return self._workshop.transfers.do(
                    once, "pull", reference, plan.label, deadline=deadline
                )

        return BaseImages(
            self._workshop.engine,
            registry=self._workshop.options.registry,
            resolve=self._resolve_base,
            pulling=pulling,
            pull=pull,
        )

    def _log_path(self, plan: BuildPlan, build_id: str) -> Path:
        name = "".join(one if one.isalnum() or one in "-._" else "-" for one in plan.label)
        directory = self._workshop.options.log_dir
        if directory is None:
            cache = cache_directory(self._workshop.options.environment)
            directory = cache / "logs" / self._workshop.session_id
        return directory / f"{name}-{build_id}.log"

    def _source_date_epoch(self, plan: BuildPlan) -> int | None:
        text = plan.spec.build_args.get(_EPOCH_NAME)
        text = text or self._workshop.options.environment.get(_EPOCH_NAME)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            message = f"{_EPOCH_NAME} must be seconds since the epoch, not {text!r}"
            raise UsageError(message) from None

    def _keep_container(self, plan: BuildPlan, name: str, step: str) -> bool:
        if self._workshop.options.keep == "none":
            return False
        self.kept_containers.append(KeptContainer(name, plan.label, step))
        return True


def _shown(tags: Sequence[str], given: Sequence[str]) -> str:
    """What an image goes by: a tag of the user's, or the first name of ours."""
    return tags[0] if tags else f"{given[0]}:latest" if given else ""


class _StageImages:
    """The stages of one finished build as images, each made when it is first asked for."""

    def __init__(self, maker: ImageMaker, job: Job, builder: ImageBuilder) -> None:
        self._maker = maker
        self._job = job
        self._builder = builder
        self._images: dict[int, Image] = {}
        self._guard = threading.Lock()

    def get(self, stage: str) -> Image:
        """The image of ``stage`` (name or index)."""
        index = self._builder.stage_index(stage)
        with self._guard:
            if index not in self._images:
                made = self._maker.stage_image(self._job, self._builder, index, stage)
                self._images[index] = made
            return self._images[index]


class _EitherEvent(threading.Event):
    """Set when it is set itself or when the session's event is."""

    def __init__(self, session: threading.Event) -> None:
        super().__init__()
        self._session = session

    def is_set(self) -> bool:
        return super().is_set() or self._session.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = 0.1 if deadline is None else min(0.1, deadline - time.monotonic())
            if left <= 0:
                return False
            super().wait(left)
        return True
