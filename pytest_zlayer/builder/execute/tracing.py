"""What the keys of a stage are made from, as entries of cache places record it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pytest_zlayer.builder.cache.entries import key_of
from pytest_zlayer.builder.copy import Selection
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.copy.select import listing
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.builder.remote.trace import Trace, TracedStep

# Of more files it is only reported that they differ.
_MOST_FILES = 500
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "argv": "its command",
        "user": "its user",
        "workdir": "its working directory",
        "script": "its here-document",
        "files": "its here-documents",
        "content": "what it copies",
    }
)


def nearest_tag(image: str, plan: StagePlan, platform: str) -> str:
    """The tag of the latest entry of a stage, whatever it was made from."""
    return key_of("nearest", image, plan.label, platform)


def trace_of(plan: StagePlan, plans: Mapping[int, StagePlan], digests: Digests) -> Trace:
    """What the keys of a stage are made from, with those of the stages it is built from."""
    steps = tuple(_traced(step, digests) for step in plan.layer_steps)
    if plan.base_stage is None:
        return Trace(plan.origin, steps)
    below = trace_of(plans[plan.base_stage], plans, digests)
    return Trace(below.origin, (*below.steps, *steps))


def _traced(step: Step, digests: Digests) -> TracedStep:
    reads = {name: key_of(step.below, name, value)[:12] for name, value in _named(step)}
    return TracedStep(step.key, step.text, reads, _files(step, digests))


def _named(step: Step) -> Iterator[tuple[str, Any]]:
    for name, value in step.reads:
        if name == "env":
            for variable, given in value:
                yield f"variable {variable}", given
        else:
            yield _WORDS.get(name, f"its {name.replace('_', ' ')}"), value


def _files(step: Step, digests: Digests) -> dict[str, str]:
    selection = step.selection
    if selection is None or sum(len(one.nodes) for one in selection.sources) > _MOST_FILES:
        return {}
    try:
        return dict(_listed(selection, digests))
    except (CopyError, OSError):  # changed meanwhile
        return {}


def _listed(selection: Selection, digests: Digests) -> Iterator[tuple[str, str]]:
    for path, mode, digest in listing(selection, digests):
        yield path, f"{mode:o} {digest[:12]}"
