"""Resolving stages: bases, references, the target with what it needs (phase "graph")."""

from __future__ import annotations

import platform as host
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.check_directive import check_option_problem
from pytest_zlayer.dockerfile.errors import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.instructions import AnyInstruction, Dockerfile, Onbuild, Stage
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.stages.bases import BaseReader
from pytest_zlayer.dockerfile.stages.graph import (
    Base,
    StageGraph,
    StageNode,
    error_in,
    needed_by,
    stage_label,
)
from pytest_zlayer.dockerfile.stages.scope import NOTHING, automatic_args, global_scope
from pytest_zlayer.dockerfile.stages.sources import FromReference, SourceTable, references_in
from pytest_zlayer.dockerfile.stages.triggers import read_trigger
from pytest_zlayer.dockerfile.values.platforms import Platform, host_platform
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.suggest import suggest

# The images BuildKit suggests when a base cannot be found.
_WELL_KNOWN = ("alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora")

__all__ = [
    "Base",
    "StageGraph",
    "StageNode",
    "needs_of",
    "resolve_stages",
    "similar_name",
    "stage_label",
]


@dataclass(frozen=True, slots=True)
class _Use:
    """One reference to another stage by COPY --from or a mount."""

    index: int
    span: Span


def resolve_stages(
    dockerfile: Dockerfile,
    *,
    build_args: Mapping[str, str] = NOTHING,
    target: str | None = None,
    platform: Platform | None = None,
    build_platform: Platform | None = None,
    contexts: Collection[str] = (),
) -> StageGraph:
    """The stage graph for these build arguments and this target.

    Args:
        dockerfile: a parsed Dockerfile.
        build_args: values that replace the defaults of ARG.
        target: name of the stage to build (any case); ``None``: the last stage.
        platform: what the image is for; ``None``: the build platform.
        build_platform: what builds; ``None``: this machine's platform, or ``platform``.
        contexts: names of build contexts; they take the place of stages and images.

    Raises:
        DockerfileError: phase ``graph``, with all errors that do not follow from another one; phase
            ``dispatch`` when a stage that is needed uses one that is not built before it, or gets
            a trigger that is no instruction.
    """
    graph = link_stages(
        dockerfile,
        build_args=build_args,
        target=target,
        platform=platform,
        build_platform=build_platform,
        contexts=contexts,
    )
    problems = [problem for one in graph.needed for problem in _later_stages(graph, one)]
    if problems:
        raise error_in(dockerfile, problems, "dispatch")
    return graph


def link_stages(
    dockerfile: Dockerfile,
    *,
    build_args: Mapping[str, str] = NOTHING,
    target: str | None = None,
    platform: Platform | None = None,
    build_platform: Platform | None = None,
    contexts: Collection[str] = (),
) -> StageGraph:
    """As ``resolve_stages``, without looking whether each stage is built before it is used."""
    native = build_platform or platform or host_platform(host.machine())
    problems = _check_options(dockerfile, build_args)
    if not dockerfile.stages:
        raise error_in(dockerfile, [*problems, _no_stages(dockerfile)], "graph")
    last = dockerfile.stages[-1]
    automatic = automatic_args(platform or native, native, target or last.name or "", build_args)
    scope = global_scope(dockerfile, automatic, build_args)
    reader = BaseReader(scope, dockerfile.escape, contexts, platform or native)
    bases = [reader.read(stage) for stage in dockerfile.stages]
    table = SourceTable(reader.names, len(bases), reader.replaced, contexts, dockerfile.escape)
    stages = [_without_replaced(stage, reader.replaced) for stage in dockerfile.stages]
    uses = [_uses(stage.instructions, table, problems) for stage in stages]
    problems += [*scope.problems, *reader.problems, *_circles(stages, uses)]
    index = _find_target(dockerfile, target, problems)
    if problems:
        raise error_in(dockerfile, problems, "graph")
    nodes, trigger_problems = _nodes(dockerfile, stages, bases, uses, table)
    needed = needed_by(nodes, index)
    graph = StageGraph(
        dockerfile, nodes, index, needed, scope.values, MappingProxyType(dict(build_args)),
        tuple(contexts), platform or native, native, table,
    )  # fmt: skip
    problems = [problem for one in needed for problem in trigger_problems[one]]
    if problems:
        raise error_in(dockerfile, problems, "dispatch")
    return graph


def needs_of(graph: StageGraph, instructions: Iterable[AnyInstruction]) -> tuple[int, ...]:
    """The stages that ``instructions`` copy or mount from, ascending; what names none is skipped.

    For ONBUILD triggers of a base image: they are known only when the image is.
    """
    uses = _uses(instructions, graph.sources, [])
    return tuple(sorted({use.index for use in uses}))


def similar_name(graph: StageGraph, image: str) -> str | None:
    """The stage or well-known image that was probably meant, for an image that nobody has."""
    stages = (node.stage.name for node in graph.nodes)
    return suggest(image, [*(name for name in stages if name), *_WELL_KNOWN])


def _check_options(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> list[Diagnostic]:
    problem = check_option_problem(dockerfile, build_args)
    return [] if problem is None else [problem]


def _no_stages(dockerfile: Dockerfile) -> Diagnostic:
    message = "dockerfile contains no stages to build"
    return Diagnostic(message, dockerfile.instructions[0].span, "add a FROM instruction")


def _without_replaced(stage: Stage, replaced: Mapping[int, str]) -> Stage:
    # A named context is the whole stage: BuildKit does not run its instructions.
    return replace(stage, instructions=()) if stage.index in replaced else stage


def _uses(
    instructions: Iterable[AnyInstruction], table: SourceTable, problems: list[Diagnostic]
) -> list[_Use]:
    found = []
    for reference in references_in(instructions):
        try:
            source = table.find(reference)
        except ValueError as problem:
            problems.append(Diagnostic(str(problem), reference.span))
            continue
        if source.kind == "stage":
            found.append(_Use(source.index, reference.span))
    return found


def _find_target(dockerfile: Dockerfile, target: str | None, problems: list[Diagnostic]) -> int:
    stages = dockerfile.stages
    if target:
        found = [stage.index for stage in stages if stage.name == target.lower()]
        if found:
            return found[-1]
        problems.append(_unknown_target(target, stages))
    return len(stages) - 1


def _unknown_target(target: str, stages: Sequence[Stage]) -> Diagnostic:
    message = f"target stage {go_quote(target)} could not be found"
    labels = [stage_label(stage) for stage in stages]
    meant = suggest(target, labels)
    named = [stage.name for stage in stages if stage.name]
    hint = (
        f"stages that can be targets: {', '.join(named)}"
        if named
        else ("no stage has a name; without a target the last one is built")
    )
    shown = stages[labels.index(meant)] if meant else stages[-1]
    where = shown.from_.stage_word.span if shown.from_.stage_word else shown.from_.image.span
    return Diagnostic(f"{message} (did you mean {meant}?)" if meant else message, where, hint)


def _circles(stages: Sequence[Stage], uses: Sequence[Sequence[_Use]]) -> list[Diagnostic]:
    """References that lead back to where they began (bases cannot: FROM only looks upwards)."""
    problems = []
    visited: set[int] = set()
    for stage in stages:
        span = _circle(stage.index, uses, visited)
        if span is not None:
            message = f"circular dependency detected on stage: {stage_label(stage)}"
            problems.append(Diagnostic(message, span))
    return problems


def _circle(root: int, uses: Sequence[Sequence[_Use]], visited: set[int]) -> Span | None:
    """The first reference on a way from ``root`` that ends in a circle; marks what it visits."""
    if root in visited:
        return None
    visited.add(root)
    path = [root]
    ways = [iter(uses[root])]
    first: Span | None = None
    found: Span | None = None
    while ways:
        use = next(ways[-1], None)
        if use is None:
            ways.pop()
            path.pop()
            continue
        if len(path) == 1:
            first = use.span
        if use.index in path:
            found = found or first
        elif use.index not in visited:
            visited.add(use.index)
            path.append(use.index)
            ways.append(iter(uses[use.index]))
    return found


def _nodes(
    dockerfile: Dockerfile,
    stages: Sequence[Stage],
    bases: Sequence[Base],
    uses: Sequence[Sequence[_Use]],
    table: SourceTable,
) -> tuple[tuple[StageNode, ...], list[list[Diagnostic]]]:
    """All nodes, and for each what is wrong with the triggers it gets (matters when needed)."""
    nodes, problems = [], []
    for stage, base, own in zip(stages, bases, uses, strict=True):
        wrong: list[Diagnostic] = []
        triggers = (
            _triggers(dockerfile, stage, stages[base.index], wrong)
            if (base.kind == "stage")
            else ()
        )
        needs = {use.index for use in (*own, *_uses(triggers, table, wrong))}
        if base.kind == "stage":
            needs.add(base.index)
        nodes.append(StageNode(stage, base, tuple(sorted(needs)), triggers))
        problems.append(wrong)
    return tuple(nodes), problems


def _triggers(
    dockerfile: Dockerfile, stage: Stage, base: Stage, problems: list[Diagnostic]
) -> tuple[AnyInstruction, ...]:
    def parsed(text: str) -> AnyInstruction | None:
        try:
            return read_trigger(dockerfile, stage, text)
        except DockerfileError as error:
            problems.extend(error.diagnostics)
            return None

    found = [parsed(one.text) for one in base.instructions if isinstance(one, Onbuild)]
    return tuple(trigger for trigger in found if trigger is not None)


def _later_stages(graph: StageGraph, index: int) -> list[Diagnostic]:
    """References of a needed stage to stages that are not built before it.

    BuildKit notices when it comes to the instruction; that it will shows already here.
    """
    node = graph.nodes[index]
    references = references_in((*node.triggers, *node.stage.instructions))
    return [problem for one in references for problem in _order_problems(graph, index, one)]


def _order_problems(
    graph: StageGraph, index: int, reference: FromReference
) -> tuple[Diagnostic, ...]:
    try:
        graph.find_source(index, reference)
    except DockerfileError as error:
        return error.diagnostics
    return ()
