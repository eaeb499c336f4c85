"""The image of a build of which everything is cached: found without building anything."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.execute.cached_steps import cached_result, deepest_cached, step_fields
from pytest_zlayer.builder.execute.final_image import final_config, image_content, tell_history
from pytest_zlayer.builder.image.results import BuildResult
from pytest_zlayer.builder.oci.chain import Chain, read_chain, timestamp_text
from pytest_zlayer.builder.oci.config import natural_format
from pytest_zlayer.builder.oci.layout import image_id, manifest_type
from pytest_zlayer.builder.plan.steps import StagePlan
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.events import StageComplete, StageStarted, StepComplete

if TYPE_CHECKING:
    from pytest_zlayer.builder.cache.entries import CachedLayers
    from pytest_zlayer.builder.execute.build import Build


@dataclass(frozen=True, slots=True)
class ReadyImage:
    """An image that need not be built: its id and names, and what became of each step."""

    id: str
    names: tuple[str, ...]
    result: BuildResult


def find_ready(build: Build, plans: Mapping[int, StagePlan], target: int) -> ReadyImage | None:
    """The image of a build, if the storage has it and all layers it is made of.

    It is found by what it would be: by the id that follows from its layers, their history and its
    configuration. Events report its stages as if they had been built.
    """
    spec = build.plan.spec
    if spec.no_cache or spec.squash or build.remote.reads or build.remote.sends:
        return None
    started = time.monotonic()
    try:
        search = _Search(build, plans)
        chain = search.chain(target)
        if chain is None:
            return None
        config = final_config(build, plans[target])
        identifier = image_id(image_content(build, config, chain))
        record = build.engine.images.recorded(identifier)
    except EngineError:  # something has gone at this moment
        return None
    wanted = manifest_type(spec.format or natural_format(config))
    if record is None or record.manifest.get("mediaType") != wanted:
        return None
    search.report()
    steps = [cached_result(plans[one], step) for one in sorted(plans) for step in plans[one].steps]
    return ReadyImage(
        identifier, record.names, BuildResult(tuple(steps), time.monotonic() - started)
    )


class _Search:
    """Goes down from a stage to its base image."""

    def __init__(self, build: Build, plans: Mapping[int, StagePlan]) -> None:
        self._build = build
        self._plans = plans
        self._adopted: list[CachedLayers] = []
        self._stages: list[tuple[StagePlan, bool]] = []

    def chain(self, index: int) -> Chain | None:
        """All layers of a stage with a history that names every instruction."""
        build, plan = self._build, self._plans[index]
        layered = [number for number, one in enumerate(plan.steps) if one.makes_layer]
        found = deepest_cached(build, plan) if layered else None
        if layered and (found is None or found[0] != layered[-1]):
            return None
        self._stages.append((plan, found is not None))
        base: Chain | None = Chain() if plan.base is None else plan.base.chain
        if plan.base_stage is not None:
            base = self.chain(plan.base_stage)
        if base is None:
            return None
        raw = base if found is None else self._stored(found[1])
        return tell_history(base, raw, plan.steps, timestamp_text(build.now()))

    def _stored(self, layers: CachedLayers) -> Chain:
        self._adopted.append(layers)
        record = self._build.engine.images.inspect(layers.image)
        chain = read_chain(record.manifest, record.config)
        return chain if layers.count is None else chain.lowest(layers.count)

    def report(self) -> None:
        """Emit the events of the stages, and note that their layers were used."""
        build = self._build
        for layers in self._adopted:
            build.adopted.append(layers)
            build.cache.touch(layers.key)
        for plan, cached in self._stages:
            base = plan.base.id[:12] if plan.base else "scratch"
            about = {"stage": plan.label, "index": plan.index}
            build.emit(StageStarted, **about, base=base, steps=len(plan.steps))
            for step in plan.steps:
                build.emit(
                    StepComplete, stage=plan.label, **step_fields(plan, step), cached=cached,
                    attempts=0, seconds=0.0, waited=0.0, size=None,
                )  # fmt: skip
            build.emit(StageComplete, **about, seconds=0.0)
