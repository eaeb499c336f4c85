"""Builds one image: all its stages, side by side where they can be, then the final image."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.cache.entries import CachedLayers
from pytest_zlayer.builder.context.sources import Sources
from pytest_zlayer.builder.execute.again import Again
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.execute.cached_steps import cached_result, deepest_cached
from pytest_zlayer.builder.execute.final_image import final_config, image_content, tell_history
from pytest_zlayer.builder.execute.pending_layers import Head
from pytest_zlayer.builder.execute.stage_executor import StageExecutor
from pytest_zlayer.builder.execute.stage_files import StageFiles
from pytest_zlayer.builder.image.results import BuildResult, StepResult
from pytest_zlayer.builder.oci.chain import Chain, timestamp_text
from pytest_zlayer.builder.oci.config import natural_format
from pytest_zlayer.builder.oci.layout import image_id, manifest_type
from pytest_zlayer.builder.oci.squash import merge_layers
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.builder.store.import_image import import_image, refuse_too_many
from pytest_zlayer.choices import ImageFormat
from pytest_zlayer.dockerfile.operations.kinds import (
    CopyOperation,
    RunOperation,
    SourceRef,
)
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, stage_label
from pytest_zlayer.dockerfile.values.scalars import number_of
from pytest_zlayer.errors import UsageError
from pytest_zlayer.waiting import Outcome, Task


class Executor:
    """Runs one build from its stage plans to the final image.

    Args:
        build: the build under way.
        plans: the needed stages by index.
        graph: the stages as the Dockerfile has them.
        sources: files of contexts and images.
    """

    def __init__(
        self, build: Build, plans: Mapping[int, StagePlan], graph: StageGraph, sources: Sources
    ) -> None:
        self._build = build
        self._plans = build.plans = plans
        self._graph = graph
        self.target = graph.target
        self._sources = sources
        self._stages: dict[int, Task[StageExecutor]] = {}
        self._successors: dict[int, int | None] = {}
        self._cached: dict[int, tuple[int, CachedLayers] | None] = {}
        self._guard = threading.Lock()
        self._commands = build.engine.interruption()
        self._started = time.monotonic()

    def execute(self) -> StageExecutor:
        """Build the target stage and everything it needs.

        Raises:
            BuildError, DockerfileError, EngineError: what stopped it.
        """
        try:
            return self._stage(self.target)
        except BaseException as error:
            self._build.stop.set()
            target = self._stages.get(self.target)
            if target is None or not target.is_known:
                # Nothing of the build itself: Ctrl-C, or the time limit of a test.
                self._commands.request()
            self._settle()
            if isinstance(error, Interrupted) and (cause := self._first_failure()) is not None:
                raise cause from None
            raise
        finally:
            self._settle()

    def again(self, again: Again) -> int:
        """Bring the target stage to the state before a step, and run that; its exit status.

        Raises:
            BuildError, UsageError, EngineError: what stopped it.
        """
        plan = self._plans[self.target]
        step = again.check(plan)
        self._plans = {**self._plans, self.target: replace(plan, until=step.number - 1)}
        return self.execute().again(step, again.how)

    def _first_failure(self) -> BaseException | None:
        """Why a stage failed; the others were interrupted only because of that."""
        failures = [stage.error for stage in list(self._stages.values())]
        return next((one for one in failures if one and not isinstance(one, Interrupted)), None)

    def close(self) -> None:
        """End for good: stages cannot be built any more."""
        self.publish(at_once=True)
        self._settle()

    def publish(self, *, at_once: bool) -> None:
        """Have the layers of all finished stages in the cache; ``at_once``: if that is quick."""
        for stage in list(self._stages.values()):
            if stage.is_known and stage.error is None:
                stage.result().files.layers.save(at_once=at_once)

    def renew_cache(self) -> None:
        """Have the layers of a build without the cache serve later builds, instead of older ones.

        Only a whole build does so, and it is done even if that does not succeed.
        """
        for stage in list(self._stages.values()):
            with contextlib.suppress(EngineError, Interrupted, OSError):
                stage.result().files.layers.renew()

    def offer_cached(self) -> None:
        """Have sent to other machines what was cached here before, where that is wanted."""
        build = self._build
        if not (build.options.send_cached and build.remote.sends) or build.plan.spec.no_cache:
            return
        for plan in self._plans.values():
            found = deepest_cached(build, plan, remote=False)
            if found is not None:
                build.offer(found[1], plan)

    def result(self) -> BuildResult:
        """Steps, time and log of the build."""
        steps: list[StepResult] = []
        for index in sorted(self._plans):
            stage = self._stages.get(index)
            if stage is None:  # nobody needed it: all that is made from it was cached
                steps.extend(
                    cached_result(self._plans[index], step) for step in self._plans[index].steps
                )
            elif stage.is_known and stage.error is None:
                steps.extend(stage.result().results)
        log = self._build.log.path if self._build.log.exists else None
        return BuildResult(tuple(steps), time.monotonic() - self._started, log)

    def other_stages(self) -> list[int]:
        """The stages this build knows besides its target."""
        return [index for index in self._plans if index != self.target]

    def stage_index(self, name: str) -> int:
        """The index of a stage of the Dockerfile, by name or index.

        Raises:
            UsageError: there is no such stage.
        """
        labels = {stage_label(node.stage): node.stage.index for node in self._graph.nodes}
        index = labels.get(name.lower(), number_of(name))
        if index is not None and index < len(self._graph.nodes):
            return index
        known = ", ".join(labels)
        raise UsageError(f"{self._build.plan.label} has no stage {name!r}", hint=f"it has: {known}")

    def has_stage(self, index: int) -> bool:
        """Whether the target needs a stage: then it is known here."""
        return index in self._plans

    def stage(self, index: int) -> StageExecutor:
        """A stage, built now if nothing has needed it yet."""
        return self._stage(index)

    def _settle(self) -> None:
        """Wait until no stage is being built."""
        while going := [stage for stage in list(self._stages.values()) if not stage.is_known]:
            going[0].wait()

    # -- stages -------------------------------------------------------------------------------

    def _stage(self, index: int) -> StageExecutor:
        return self._start(index).result()

    def _start(self, index: int) -> Outcome[StageExecutor]:
        with self._guard:
            if index in self._stages:
                return self._stages[index]
            stage = Task(partial(self._build_stage, index), f"stage-{index}")
            try:
                self._stages[index] = stage
                stage.start()
            except BaseException as error:
                stage.abandon(error)
                raise
            return stage

    def _build_stage(self, index: int) -> StageExecutor:
        plan = self._plans[index]
        cached = self._deepest(index)
        remaining = plan.performed[0 if cached is None else cached[0] + 1 :]
        for needed in _sources_of(remaining):
            self._start(needed)
        executor = StageExecutor(
            self._build,
            plan,
            self._start_of(plan, cached=cached is not None),
            self,
            successor=self._successor(index) is not None,
            wanted=any(one.base_stage == index for one in self._plans.values()),
            alone=index == self.target,
            cached=cached,
        )
        try:
            with self._commands.covering():
                executor.execute()
        except BaseException:
            self._build.stop.set()
            raise
        return executor

    def _start_of(self, plan: StagePlan, *, cached: bool) -> StageFiles:
        """What a stage begins with: nothing, its base image, or the stage it is built from."""
        if plan.base is not None:
            start = Head(plan.base.id, plan.base.chain)
            return StageFiles(self._build, start, plan)
        if plan.base_stage is None or cached:
            return StageFiles(self._build, Head(), plan)
        parent = self._stage(plan.base_stage).files
        if self._successor(plan.base_stage) == plan.index:
            return StageFiles(self._build, Head(), plan, parent=parent)
        start = parent.stored_head()
        return StageFiles(self._build, start, plan, below=parent)

    def _deepest(self, index: int) -> tuple[int, CachedLayers] | None:
        """The last step of a stage that was cached when this was asked first."""
        if index not in self._cached:
            self._cached.setdefault(index, deepest_cached(self._build, self._plans[index]))
        return self._cached[index]

    def _successor(self, index: int) -> int | None:
        """The stage that goes on in the container of another one, before its image is there.

        The earlier ones are more likely to be waited for. Nobody else may read its files then.
        """
        if index not in self._successors:
            read = any(index in _sources_of(plan.steps) for plan in self._plans.values())
            above = [plan for plan in self._plans.values() if plan.base_stage == index]
            above = [one for one in above if self._deepest(one.index) is None]
            # Several threads may get here; the first answer counts.
            self._successors.setdefault(index, None if read or not above else above[0].index)
        return self._successors[index]

    # -- what steps copy and mount from ---------------------------------------------------------

    def awaited(self, source: SourceRef) -> str | None:
        """The label of a stage that is still being built, ``None`` for every other source."""
        if source.kind != "stage":
            return None
        stage = self._stages.get(source.index)
        return None if stage is not None and stage.is_known else self._plans[source.index].label

    def rootfs(self, source: SourceRef) -> Rootfs:
        """The files of a source; a stage is waited for."""
        if source.kind == "stage":
            return self._stage(source.index).files.rootfs()
        return self._sources.rootfs(source)

    def path(self, source: SourceRef, path: str) -> Path:
        """The host path of a file or directory of a source; a stage is waited for."""
        if source.kind == "stage":
            return self._stage(source.index).files.host_path(path)
        return self._sources.path(source, path)

    def workdir(self, source: SourceRef) -> str:
        """The final WORKDIR of a stage, ``/`` for every other source."""
        if source.kind != "stage":
            return "/"
        return self._plans[source.index].state.config.workdir or "/"

    # -- the final image ----------------------------------------------------------------------

    def pretty_chain(self, index: int) -> Chain:
        """Layers of a finished stage with a history that names every instruction."""
        plan = self._plans[index]
        # First of all: pending layers of a stage that this one is built from are stored for it.
        raw = self._stage(index).files.chain()
        base = Chain() if plan.base is None else plan.base.chain
        if plan.base_stage is not None:
            base = self.pretty_chain(plan.base_stage)
        return tell_history(base, raw, plan.steps, timestamp_text(self._build.now()))

    def _base_chain(self, index: int) -> Chain:
        """Layers and history of the base image under a stage and the stages it is built from."""
        plan = self._plans[index]
        if plan.base_stage is not None:
            return self._base_chain(plan.base_stage)
        return Chain() if plan.base is None else plan.base.chain

    def assemble(self, index: int, names: Callable[[str], Sequence[str]]) -> str:
        """Put the image of a finished stage into the store; its id, from which ``names`` come."""
        files = self._stage(index).files
        if self._squashed(index):
            files.layers.flush()
        with files.layers.part_names() as parts:
            return self._assemble(index, lambda made: (*names(made), *parts))

    def store_layers(self) -> None:
        """Have the layers of all finished stages in the cache; new ones in the image they are for.

        A build that needs the image then only names it.
        """
        files = self._stage(self.target).files
        if not self._squashed(self.target):
            with files.layers.part_names() as parts:
                if parts:
                    self._assemble(self.target, lambda _: parts)
        self.publish(at_once=False)

    def _squashed(self, index: int) -> bool:
        return self._build.plan.spec.squash and index == self.target

    def _assemble(self, index: int, names: Callable[[str], Sequence[str]]) -> str:
        build, spec = self._build, self._build.plan.spec
        files = self._stage(index).files
        chain = self.pretty_chain(index)
        config = final_config(build, self._plans[index])
        if self._squashed(index):
            chain = self._squash(index, chain)
        refuse_too_many(chain, build.plan.label)
        content = image_content(build, config, chain)
        image_format = spec.format or natural_format(config)
        image = self._store(content, chain, image_format, names, files.layers.bring)
        files.stored(image)
        return image

    def _store(
        self,
        content: Mapping[str, Any],
        chain: Chain,
        image_format: ImageFormat,
        names: Callable[[str], Sequence[str]],
        bring: Callable[[], None],
    ) -> str:
        """Give names to the image with this configuration; it is made unless it is there."""
        engine, known = self._build.engine, image_id(content)
        given = names(known)
        if any(one.id == known for one in engine.images.all()):
            with contextlib.suppress(EngineError):  # gone at this moment
                record = engine.images.inspect(known)
                if record.manifest.get("mediaType") == manifest_type(image_format):
                    engine.images.tag(known, *given)
                    return known
        bring()
        directory = self._build.fresh_path("layout")
        return import_image(engine, directory, content, chain, given, image_format=image_format)

    def _squash(self, index: int, chain: Chain) -> Chain:
        """One layer for all that is new; the history stays, most of it without layers."""
        base = self._base_chain(index)
        image = self._stage(index).files.head.image
        new = chain.layers[len(base.layers) :]
        if image is None or len(new) < 2:
            return chain
        directory = self._build.fresh_path("squash")
        self._build.engine.registries.export(image, directory)
        manifest = json.loads((directory / "manifest.json").read_bytes())
        blobs = [directory / one["digest"].partition(":")[2] for one in manifest["layers"]]
        layer = merge_layers(blobs[len(base.layers) :], directory / "merged", self._build.check)
        entries = [replace(entry, empty=True) for entry in chain.history[len(base.history) :]]
        entries[-1] = replace(entries[-1], empty=False)
        return Chain((*base.layers, layer), (*base.history, *entries))


def _sources_of(steps: tuple[Step, ...]) -> list[int]:
    """Stages that steps copy or mount from, in order of need."""
    found: dict[int, None] = {}
    for step in steps:
        operation = step.operation
        references: list[SourceRef | None] = []
        if isinstance(operation, CopyOperation):
            references.append(operation.from_)
        elif isinstance(operation, RunOperation):
            references += [getattr(mount, "from_", None) for mount in operation.mounts]
        for reference in references:
            if reference is not None and reference.kind == "stage":
                found[reference.index] = None
    return list(found)
