"""Makes the image of one plan: base images, contexts and stages brought together."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.execute.build import Build, BuildLog
from pytest_zlayer.builder.execute.ready import ReadyImage, find_ready
from pytest_zlayer.builder.execute.slots import Slots
from pytest_zlayer.builder.image.built_image import Image
from pytest_zlayer.builder.image.kept import own_name
from pytest_zlayer.builder.image.results import BuildResult
from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.masker import Masker
from pytest_zlayer.builder.plan.build_plan import BuildPlan, plan_of_stage
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.builder.session.build_events import was_interrupted
from pytest_zlayer.builder.session.planning import Planned, Planning
from pytest_zlayer.builder.session.pulled_bases import PulledBases
from pytest_zlayer.builder.session.resources import SessionResources
from pytest_zlayer.builder.stopping import Interrupted, StopEvent
from pytest_zlayer.builder.store.mounted_images import MountedImages
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, stage_label
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.events import Event
from pytest_zlayer.lazy import LOADING, once
from pytest_zlayer.waiting import held

if TYPE_CHECKING:
    from pytest_zlayer.builder.execute.again import Again
    from pytest_zlayer.builder.execute.executor import Executor
    from pytest_zlayer.builder.session.debug_records import DebugRecord

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class KeptContainer:
    """The container of a failed step, which may be kept after the session.

    Attributes:
        name: what it is called in the store.
        error: tells of the failure.
    """

    name: str
    error: BuildError


class Builds:
    """Makes images for one session.

    Args:
        resources: engine, cache and store.
        tell: receives events.
        resolve_base: the hook for base images.
        may_retry: the hook for retries.
        stop: set when the session ends.
        build_other: builds a stage that the target of a build does not need.
        masker: hides what nobody is to read.
    """

    def __init__(
        self,
        resources: SessionResources,
        *,
        tell: Callable[[Event], None],
        resolve_base: Callable[[str], str | None],
        may_retry: Callable[[str, int, BuildError], bool | None],
        stop: threading.Event,
        build_other: Callable[[BuildPlan], Image],
        masker: Masker,
        jobs: int,
    ) -> None:
        self._resources = resources
        self._tell = tell
        self._may_retry = may_retry
        self._stop = stop
        self.build_other = build_other
        self._masker = masker
        self._bases = PulledBases(resources, tell=tell, resolve=resolve_base, stop=stop)
        self._planning = Planning(resources)
        self._slots = Slots(jobs)
        self._ranks = itertools.count()
        self._executors: list[Executor] = []
        self._finished: list[tuple[Build, Callable[[], Executor]]] = []
        self.images: list[tuple[Image, tuple[str, ...]]] = []
        self.kept_containers: list[KeptContainer] = []

    def ready(self, plan: BuildPlan, ref: str, build_id: str) -> Image:
        """The ready image ``ref``: found or pulled, and never removed."""
        bases = self._bases.of(plan, build_id)
        base = bases.get(ref, plan.spec.pull or "missing", plan.spec.platform)
        return Image(base.id, ref, plan.label, (ref,), BuildResult(), self._resources.store)

    def make(
        self, plan: BuildPlan, graph: StageGraph, build_id: str, *, stays: bool = False
    ) -> Image:
        """Build the image of ``plan``.

        Args:
            plan, graph: what to build.
            build_id: in each event.
            stays: it outlives the session.

        Raises:
            BuildError, DockerfileError, UsageError, EngineError: what stopped it.
        """
        return self._without_damaged(
            plan, graph, build_id, lambda build: self._make(build, graph, stays=stays)
        )

    def _without_damaged(
        self, plan: BuildPlan, graph: StageGraph, build_id: str, work: Callable[[Build], Result]
    ) -> Result:
        """What ``work`` gives; again without the cached layers that turn out to be damaged."""
        dropped: set[str] = set()
        for number in itertools.count():
            build = self._build(plan, graph, f"{build_id}-again-{number}" if number else build_id)
            try:
                return work(build)
            except ZlayerError as error:
                damaged = self._drop_unusable(build, error)
                if damaged <= dropped:
                    raise
                dropped |= damaged
        raise AssertionError  # pragma: no cover (counting has no end)

    def make_list(self, plan: BuildPlan, build_id: str) -> Image:
        """Build the image of each platform of ``plan``, and the manifest list of them."""
        engine = self._resources.engine
        images: dict[str, Image] = {}
        for number, one in enumerate(plan.platforms):
            if one.graph is not None:
                alone = replace(one, spec=replace(one.spec, tags=()))
                made = self.make(alone, one.graph, f"{build_id}-{number}")
                images[str(one.graph.platform)] = made
        stays = self._resources.options.stay
        name = plan.spec.tags[0] if plan.spec.tags else self._new_name()
        if not stays:
            engine.images.register(name)
        list_id = engine.registries.manifest_create(name)
        for made in images.values():
            engine.registries.manifest_add(name, made.name)
        for tag in plan.spec.tags[1:]:
            if not stays:
                engine.images.register(tag)
            engine.images.tag(name, tag)
        if stays and not plan.spec.tags:
            engine.images.tag(name, own_name(list_id))
        steps = tuple(step for made in images.values() for step in made.build.steps)
        seconds = sum(made.build.seconds for made in images.values())
        image = Image(
            list_id,
            name,
            plan.label,
            plan.spec.tags,
            BuildResult(steps, seconds),
            self._resources.store,
            platforms=images,
        )
        self.images.append((image, () if stays and plan.spec.tags else plan.spec.tags or (name,)))
        return image

    def _new_name(self) -> str:
        return self._resources.prefix + str(self._resources.next_number())

    def _drop_unusable(self, build: Build, error: ZlayerError) -> set[str]:
        """Drop the cached layers that have become unusable; their keys."""
        trouble = error if isinstance(error, EngineError) else error.__cause__
        if not isinstance(trouble, EngineError) or trouble.interrupted:
            return set()
        # Nobody is to read on from them, nor to keep them from being removed.
        self._resources.mounted.forget(one.image for one in build.adopted)
        self._resources.mounted.remove()
        return {one.key for one in build.adopted if build.cache.drop_if_unusable(one)}

    def _make(self, build: Build, graph: StageGraph, *, stays: bool) -> Image:
        planned = self._planning.plan(build, graph)
        executor = once(lambda: self._executor(build, planned))
        succeeded = False
        try:
            ready = find_ready(build, planned.plans, graph.target)
            if ready is None:
                executor().execute()
                executor().offer_cached()
            image = self._finish(build, executor, ready, stays=stays)
            succeeded = True
            return image
        finally:
            build.log.close(keep=not succeeded or self._resources.options.log_dir is not None)
            build.views.close()
            if not succeeded:
                self._resources.mounted.remove()

    def debug(
        self, plan: BuildPlan, graph: StageGraph, build_id: str, again: Again, record: DebugRecord
    ) -> int:
        """Build up to a step that has failed, as far as need be, and run it; its exit status."""
        self._bases.resolved.update(record.bases)
        listen = again.listener(stage_label(graph.nodes[again.stage].stage))

        def work(build: Build) -> int:
            build.listener = lambda event: listen(self._masker.event(event))
            build.remember = lambda plan, step: (
                record.id
                if (plan.index, step.number) == (again.stage, again.number)
                else self._remember(build, plan, step)
            )
            executor = self._executor(build, self._planning.plan(build, graph))
            try:
                return executor.again(again)
            finally:
                build.log.close(keep=False)
                build.views.close()

        return self._without_damaged(plan, graph, build_id, work)

    def warm(self, plan: BuildPlan, graph: StageGraph, build_id: str) -> bool:
        """Bring the layers of ``plan`` into the cache; whether all were there."""
        build = self._build(plan, graph, build_id)
        executor = self._executor(build, self._planning.plan(build, graph))
        try:
            executor.execute()
            executor.offer_cached()
            executor.store_layers()
            return executor.result().cached
        finally:
            build.log.close(keep=False)
            build.views.close()

    def keep_stages(self) -> None:
        """Make images of the stages that no test asked for, so that they can be kept.

        After an interruption, of those that are there: none is built any more.
        """
        for build, make in list(self._finished):
            executor = make()
            for index in executor.other_stages():
                self._keep_stage(build, executor, index)

    def _keep_stage(self, build: Build, executor: Executor, index: int) -> None:
        try:
            label = executor.stage(index).plan.label
            self.stage_image(build, executor, index, label)
        except (EngineError, Interrupted) as error:
            if not was_interrupted(error):
                raise

    def close(self) -> None:
        """Give back what contexts and stages hold."""
        for executor in self._executors:
            executor.close()
        self._planning.close()

    def _executor(self, build: Build, planned: Planned) -> Executor:
        with LOADING:
            from pytest_zlayer.builder.execute.executor import Executor

        executor = Executor(build, planned.plans, planned.graph, planned.sources)
        self._executors.append(executor)
        return executor

    def _finish(
        self,
        build: Build,
        executor: Callable[[], Executor],
        ready: ReadyImage | None,
        *,
        stays: bool,
    ) -> Image:
        plan = build.plan
        # As part of the cache an image is there at once in the next session.
        cached = not (stays or plan.spec.no_cache or plan.spec.squash)
        given = () if stays else plan.spec.tags if cached else (self._new_name(), *plan.spec.tags)
        if not stays:
            for tag in plan.spec.tags:
                self._resources.engine.images.register(tag)

        def names(made: str) -> Sequence[str]:
            if cached:
                return (self._resources.cache.image_name(made), *given)
            return given or plan.spec.tags or (own_name(made),)

        if ready is not None:
            image_id, result = ready.id, ready.result
            self._resources.engine.images.tag(image_id, *names(image_id))
        else:
            image_id = executor().assemble(executor().target, names)
            if plan.spec.no_cache:
                executor().renew_cache()
            result = executor().result()
        image = Image(
            id=image_id,
            name=_shown(plan.spec.tags, names(image_id)),
            label=plan.label,
            tags=plan.spec.tags,
            build=result,
            _store=self._resources.store,
            _stage=_StageImages(self, build, executor).get,
        )
        self.images.append((image, given))
        self._finished.append((build, executor))
        return image

    def stage_image(self, build: Build, executor: Executor, index: int, stage: str) -> Image:
        """The image of one stage of a finished build."""
        name = self._new_name()
        try:
            image_id = executor.assemble(index, lambda _: (name,))
        finally:
            build.views.close()
        label = f"{build.plan.label}#{stage}"
        store = self._resources.store
        image = Image(image_id, f"{name}:latest", label, (), executor.result(), store)
        self.images.append((image, (name,)))
        return image

    def _build(self, plan: BuildPlan, graph: StageGraph, build_id: str) -> Build:
        resources, spec = self._resources, plan.spec
        build = Build(
            build_id=build_id,
            plan=plan,
            options=resources.options,
            engine=resources.engine,
            cache=resources.cache,
            remote=resources.remote,
            views=MountedImages(resources.engine, resources.mounted),
            bases=self._bases.of(plan, build_id),
            digests=resources.digests,
            make_scratch=once(lambda: resources.new_scratch(build_id)),
            log=BuildLog(self._log_path(plan, build_id), self._masker),
            masker=self._masker,
            listener=self._tell,
            slots=self._slots,
            rank=next(self._ranks),
            stop=StopEvent(self._stop),
            may_retry=self._may_retry,
            keep_container=self._keep_container,
            remember=lambda stage, step: self._remember(build, stage, step),
            deadline=time.monotonic() + spec.timeout if spec.timeout else None,
            source_date_epoch=plan.source_date_epoch,
            platform=graph.platform,
        )
        return build

    def _remember(self, build: Build, stage: StagePlan, step: Step) -> str | None:
        """Keep what it takes to run a failed step again; its id, if that can be kept."""
        with LOADING:
            from pytest_zlayer.builder.session.debug_records import new_record, write_record

        resources = self._resources
        record = new_record(build.plan, stage, step, resources.options, self._bases.resolved)
        if record is None or not write_record(resources.logs, record):
            return None
        return record.id

    def _log_path(self, plan: BuildPlan, build_id: str) -> Path:
        name = "".join(one if one.isalnum() or one in "-._" else "-" for one in plan.label)
        directory = self._resources.options.log_dir or self._resources.logs
        return directory / f"{name}-{build_id}.log"

    def _keep_container(self, name: str, error: BuildError) -> bool:
        if self._resources.options.keep == "none":
            return False
        self.kept_containers.append(KeptContainer(name, error))
        return True


def _shown(tags: Sequence[str], given: Sequence[str]) -> str:
    """The name shown for an image: a tag of the user's, or the first name that was made for it."""
    if tags:
        return tags[0]
    return given[0] if ":" in given[0].rpartition("/")[2] else f"{given[0]}:latest"


class _StageImages:
    """The stages of one finished build as images, each made when it is first asked for."""

    def __init__(self, builds: Builds, build: Build, executor: Callable[[], Executor]) -> None:
        self._builds = builds
        self._build = build
        self._executor = executor
        self._images: dict[int, Image] = {}
        self._guard = threading.Lock()

    def get(self, stage: str) -> Image:
        """The image of ``stage`` (name or index)."""
        index = self._executor().stage_index(stage)
        with held(self._guard):
            if index not in self._images:
                self._images[index] = self._make(index, stage)
            return self._images[index]

    def _make(self, index: int, stage: str) -> Image:
        if self._executor().has_stage(index):
            return self._builds.stage_image(self._build, self._executor(), index, stage)
        return self._builds.build_other(plan_of_stage(self._build.plan, stage))
