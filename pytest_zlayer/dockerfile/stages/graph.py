"""What resolving the stages of a Dockerfile gives: nodes, their bases, what the target needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Literal, NoReturn

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.errors import Diagnostic, DockerfileError, Phase
from pytest_zlayer.dockerfile.instructions import AnyInstruction, Dockerfile, Stage
from pytest_zlayer.dockerfile.operations.kinds import SourceRef
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.stages.sources import FromReference, SourceTable
from pytest_zlayer.dockerfile.values.platforms import Platform
from pytest_zlayer.dockerfile.values.quoting import go_quote


@dataclass(frozen=True, slots=True)
class Base:
    """What a stage begins with.

    kind ``stage``: ``index`` is the stage; ``image``: ``name`` is the reference as it was written,
    variables expanded; ``context``: the named build context ``name``; ``scratch``: nothing.
    ``platform`` is the normalised ``--platform`` of FROM, ``None`` when there is none.
    """

    kind: Literal["scratch", "stage", "image", "context"]
    name: str = ""
    index: int = -1
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class StageNode:
    """One stage in the graph.

    Attributes:
        stage: the stage; without instructions when a named context has taken its place.
        base: what it is built from.
        needs: indexes of the stages it uses directly (base, COPY --from, mounts, and those of
            ONBUILD triggers it gets from a stage of this file), ascending.
        triggers: the ONBUILD instructions it gets from a base stage of this file.
    """

    stage: Stage
    base: Base
    needs: tuple[int, ...]
    triggers: tuple[AnyInstruction, ...] = ()


@dataclass(frozen=True, slots=True)
class StageGraph:
    """The stages of a Dockerfile, resolved for one set of build arguments and one target.

    Attributes:
        nodes: all stages in file order.
        target: index of the stage to build.
        needed: indexes of the stages the target needs, itself included, in file order.
        globals: automatic and global arguments that have a value.
        build_args, contexts, platform, build_platform: what the graph was resolved with.
        sources: the look-up table of ``copy_source`` and ``mount_source``.
    """

    dockerfile: Dockerfile
    nodes: tuple[StageNode, ...]
    target: int
    needed: tuple[int, ...]
    globals: Mapping[str, str]
    build_args: Mapping[str, str]
    contexts: Collection[str]
    platform: Platform
    build_platform: Platform
    sources: SourceTable = field(repr=False, compare=False)

    def find_source(self, stage_index: int, reference: FromReference) -> SourceRef:
        """What a reference in the stage names; raises as ``copy_source``."""
        raw, span = reference.raw, reference.span
        if reference.kind == "copy":
            return self.copy_source(stage_index, raw, span=span)
        return self.mount_source(stage_index, raw, target=reference.target, span=span)

    def copy_source(self, stage_index: int, raw: str, *, span: Span | None = None) -> SourceRef:
        """What ``COPY --from=raw`` in the stage names.

        Raises:
            DockerfileError: phase ``graph`` for what cannot be resolved, phase ``dispatch`` for a
                stage that is not built before this one; at ``span`` or the stage's FROM.
        """
        try:
            source = self.sources.copy_source(raw)
        except ValueError as problem:
            self._refuse(str(problem), stage_index, span, "graph")
        if source.kind == "stage" and source.index >= stage_index:
            self._refuse(
                f"cannot copy from stage {go_quote(raw)}, it needs to be defined before current"
                f" stage {go_quote(self._own_name(stage_index))}",
                stage_index,
                span,
                "dispatch",
            )
        return source

    def mount_source(
        self, stage_index: int, raw: str, *, target: str = "", span: Span | None = None
    ) -> SourceRef:
        """What ``RUN --mount=…,from=raw,target=target`` in the stage names.

        Raises:
            DockerfileError: as ``copy_source``.
        """
        try:
            source = self.sources.mount_source(raw)
        except ValueError as problem:
            self._refuse(str(problem), stage_index, span, "graph")
        if source.kind == "stage" and source.index >= stage_index:
            self._refuse(
                f"cannot mount from stage {go_quote(raw)} to {go_quote(target)}, stage needs to be"
                " defined before current command",
                stage_index,
                span,
                "dispatch",
            )
        return source

    def at_stage(self, index: int) -> StageGraph:
        """The same graph for another target, whose stages see the arguments of this one."""
        return replace(self, target=index, needed=needed_by(self.nodes, index))

    def _own_name(self, index: int) -> str:
        # BuildKit leaves out the name when the file has one stage only.
        return stage_label(self.nodes[index].stage) if len(self.nodes) > 1 else ""

    def _refuse(self, message: str, stage_index: int, span: Span | None, phase: Phase) -> NoReturn:
        where = span or self.nodes[stage_index].stage.from_.span
        raise error_in(self.dockerfile, [Diagnostic(message, where)], phase)


def needed_by(nodes: Sequence[StageNode], target: int) -> tuple[int, ...]:
    """Indexes of the stages that the target needs, itself included, ascending."""
    found: set[int] = set()
    open_ends = [target]
    while open_ends:
        index = open_ends.pop()
        if index not in found:
            found.add(index)
            open_ends.extend(nodes[index].needs)
    return tuple(sorted(found))


def stage_label(stage: Stage) -> str:
    """The stage's name, or ``stage-<index>`` as BuildKit calls a stage without one."""
    return stage.name or f"stage-{stage.index}"


def error_in(
    dockerfile: Dockerfile, problems: Iterable[Diagnostic], phase: Phase
) -> DockerfileError:
    """The error to raise for ``problems``, each with the lines of the instruction it is in."""
    found = [_with_lines(dockerfile, problem) for problem in problems]
    return DockerfileError(found, phase=phase, text=dockerfile.text, filename=dockerfile.filename)


def _with_lines(dockerfile: Dockerfile, problem: Diagnostic) -> Diagnostic:
    line = problem.span.line
    spans = (one.span for one in dockerfile.instructions)
    span = next((one for one in spans if one.line <= line <= one.end_line), None)
    if problem.lines is not None or span is None:
        return problem
    return replace(problem, lines=(span.line, span.end_line))
