"""How far a stage is in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.image.results import StepResult
from pytest_zlayer.builder.plan.steps import StagePlan, Step

if TYPE_CHECKING:
    from pytest_zlayer.builder.cache.entries import CachedLayers
    from pytest_zlayer.builder.execute.build import Build


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


def deepest_cached(
    build: Build, plan: StagePlan, done: int = 0, *, remote: bool = True
) -> tuple[int, CachedLayers] | None:
    """Position of the last step whose layer is in the cache, and where; or ``None``.

    The first ``done`` steps do not matter. ``remote``: places on other machines are asked too.
    """
    asking = plan if remote else None
    for position in range(len(plan.performed) - 1, done - 1, -1):
        step = plan.steps[position]
        layers = build.cached(step.key, asking) if step.makes_layer else None
        if layers is not None:
            return position, layers
    return None


def step_fields(plan: StagePlan, step: Step) -> dict[str, Any]:
    """What every event of a step says of it."""
    return {
        "number": step.number,
        "total": len(plan.steps),
        "text": step.text,
        "line": step.instruction.span.line,
    }
