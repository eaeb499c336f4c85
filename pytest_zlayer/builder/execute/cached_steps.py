"""How far a stage is in the cache: found here, or fetched from other machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.cache.entries import cache_name, part_name
from pytest_zlayer.builder.execute.final_image import final_config, image_content, tell_history
from pytest_zlayer.builder.image.results import StepResult
from pytest_zlayer.builder.oci.chain import Chain, timestamp_text
from pytest_zlayer.builder.oci.config import natural_format
from pytest_zlayer.builder.oci.layout import image_id
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.builder.store.import_image import import_bare, import_image
from pytest_zlayer.events import LayersFetched
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.builder.cache.entries import CachedLayers
    from pytest_zlayer.builder.execute.build import Build
    from pytest_zlayer.builder.remote.entry import Entry
    from pytest_zlayer.builder.remote.lookup import Asked


def cached_result(plan: StagePlan, step: Step) -> StepResult:
    """The result of a step that did not have to run."""
    return StepResult(
        stage=plan.label,
        number=step.number,
        text=step.text,
        line=step.instruction.span.line,
        cached=True,
        attempts=0,
        seconds=0.0,
    )


def step_fields(plan: StagePlan, step: Step) -> dict[str, Any]:
    """What every event of a step says of it."""
    return {
        "number": step.number,
        "total": len(plan.steps),
        "text": step.text,
        "line": step.instruction.span.line,
    }


def deepest_cached(
    build: Build, plan: StagePlan, done: int = 0, *, remote: bool = True
) -> tuple[int, CachedLayers] | None:
    """Position of the last step whose layer is in the cache, and where; or ``None``.

    The first ``done`` steps do not matter. ``remote``: places on other machines are asked too.
    """
    find = cached_layers if remote else _cached_here
    for position in range(len(plan.performed) - 1, done - 1, -1):
        step = plan.steps[position]
        layers = find(build, plan, step.key) if step.makes_layer else None
        if layers is not None:
            return position, layers
    return None


def cached_layers(
    build: Build, plan: StagePlan, key: str, *, again: bool = False
) -> CachedLayers | None:
    """The layers of a stage cached under ``key``, in the store or on other machines.

    ``again``: places are to be asked for what came lately; a step would have to run otherwise.
    """
    found = build.cached(key)
    if found is not None or build.plan.spec.no_cache or not build.remote.reads:
        return found
    asked = _asked(build, plan)
    found = build.remote.find(key, asked)
    return build.remote.look_again(key, asked) if found is None and again else found


def _cached_here(build: Build, _: StagePlan, key: str) -> CachedLayers | None:
    return build.cached(key)


# -- from other machines ----------------------------------------------------------------------


def _asked(build: Build, stage: StagePlan) -> Asked:
    with LOADING:
        from pytest_zlayer.builder.remote.lookup import Asked

    def arrived(place: str, key: str, entry: Entry, seconds: float) -> None:
        build.remote.arrived(place, entry)
        build.emit(
            LayersFetched,
            key=key,
            place=place,
            layers=len(entry.layers),
            bytes=entry.compressed,
            seconds=seconds,
        )

    def bring() -> None:
        if stage.root is not None:
            build.engine.images.bring(stage.root.id)

    return Asked(
        base=stage.base_chain,
        platform=build.platform_words,
        bring=bring,
        store=lambda chain, counts: _store(build, stage, chain, counts),
        check=build.check,
        arrived=arrived,
    )


def _store(build: Build, stage: StagePlan, chain: Chain, counts: Mapping[str, int]) -> None:
    """Put fetched layers into the store, as the image that is built where they are all it has."""
    directory, total = build.fresh_path("layout"), len(chain.layers)
    names = [part_name(key, count) for key, count in counts.items()]
    told = _told(build, stage, chain)
    if _is_built(build, stage, counts, total) and told.layers == chain.layers:
        config = final_config(build, stage)
        content = image_content(build, config, told)
        names.insert(0, build.cache.image_name(image_id(content)))
        image_format = build.plan.spec.format or natural_format(config)
        import_image(build.engine, directory, content, told, names, image_format=image_format)
    else:
        top = max(counts, key=counts.__getitem__)
        names[list(counts).index(top)] = cache_name(top)
        import_bare(build.engine, directory, chain, names, build.platform)


def _is_built(build: Build, stage: StagePlan, counts: Mapping[str, int], total: int) -> bool:
    """Whether these layers are those of the image that is built, all of them and no more."""
    graph, top = build.plan.graph, stage.layer_steps[-1].key
    is_target = graph is not None and graph.target == stage.index
    return is_target and not build.plan.spec.squash and counts.get(top) == total


def _told(build: Build, stage: StagePlan, raw: Chain) -> Chain:
    """All layers of a stage with a history that names every instruction."""
    base = Chain() if stage.base is None else stage.base.chain
    if stage.base_stage is not None:
        base = _told(build, build.plans[stage.base_stage], raw)
    return tell_history(base, raw, stage.steps, timestamp_text(build.now()))
