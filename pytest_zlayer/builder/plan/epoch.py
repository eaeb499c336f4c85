"""``SOURCE_DATE_EPOCH``: the time that everything in an image gets, if one is given."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from pytest_zlayer.builder.context.build_context import LATEST, newest_entry
from pytest_zlayer.builder.copy.remote import remote_kind
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.dispatch.instruction import begin_stage, dispatch
from pytest_zlayer.dockerfile.instructions import Add, Arg
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.stages.resolve import StageGraph
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import late_pattern

NAME = "SOURCE_DATE_EPOCH"
_SECONDS = late_pattern("[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class RemoteDate:
    """A date that only the server of a source tells: it is known when that has been fetched.

    Attributes:
        source: a URL or a git reference.
        checksum: what ADD says that it must have.
    """

    source: str
    checksum: str | None = None


def source_date_epoch(spec: ImageSpec, graph: StageGraph) -> int | RemoteDate | None:
    """Seconds since the epoch, from the build argument or a global ARG's default.

    It may also be ``context``, a named build context, or a stage with nothing but one remote ADD:
    then it is the time of the commit, the server's ``Last-Modified``, or the newest file of an
    archive. A directory has none.

    Raises:
        UsageError, DockerfileError: it has none of these forms.
    """
    given = spec.build_args.get(NAME)
    text = graph.globals.get(NAME) if given is None else given
    if not text:
        return None
    if _SECONDS.fullmatch(text) and int(text) <= LATEST:
        return int(text)
    if text == "context":
        context = spec.context
        return None if context is None or not context.is_file() else newest_entry(context)
    if text in spec.build_contexts:
        return _of_context(spec.build_contexts[text])
    for index, node in enumerate(graph.nodes):
        if node.stage.name == text.lower():
            return _of_stage(graph, index)
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    message = f"{NAME} must be seconds since the epoch, not {shown!r}"
    hint = "'context', a named build context, or a stage with one remote ADD serve too"
    if given is not None:
        raise UsageError(message, hint=hint)
    raise _refusal(graph, message, _span_of_default(graph), hint)


def with_date(graph: StageGraph, date: int | None) -> StageGraph:
    """The same stages; their ARGs of this name have the date as a number, or nothing."""
    text = "" if date is None else str(date)
    if NAME in graph.build_args:
        return replace(graph, build_args={**graph.build_args, NAME: text})
    if NAME in graph.globals:
        return replace(graph, globals={**graph.globals, NAME: text})
    return graph


def _of_context(value: object) -> RemoteDate | None:
    if isinstance(value, str) and remote_kind(value) != "path":
        return RemoteDate(value)
    return None


def _of_stage(graph: StageGraph, index: int) -> RemoteDate:
    """The source of a stage that is there for nothing else: it is not built for that."""
    node, found = graph.nodes[index], None
    start = node.stage.from_.span
    if node.base.kind != "scratch":
        _refuse(graph, f"{NAME} stage must use FROM scratch", start)
    state = begin_stage(graph, index, ImageConfig())
    for instruction in node.stage.instructions:
        if not isinstance(instruction, Add | Arg):
            _refuse(
                graph,
                f"{NAME} stage does not meet source-only requirements: unsupported"
                f" {type(instruction).__name__.upper()} instruction",
                instruction.span,
            )
        state, operation = dispatch(graph, index, state, instruction)
        if isinstance(operation, CopyOperation):
            if found is not None:
                _refuse(
                    graph, f"{NAME} stage must contain exactly one remote ADD", instruction.span
                )
            found = operation
    if found is None:
        _refuse(graph, f"{NAME} stage must contain exactly one remote ADD", start)
    span = found.span or start
    if found.files or len(found.sources) != 1:
        _refuse(graph, f"{NAME} stage must contain exactly one remote ADD source", span)
    if remote_kind(found.sources[0]) == "path":
        _refuse(graph, f"{NAME} stage source must be a single HTTP(S) or Git ADD", span)
    return RemoteDate(found.sources[0], found.checksum)


def _span_of_default(graph: StageGraph) -> Span:
    spans = [
        arg.span
        for arg in graph.dockerfile.global_args
        if any(one.name.value == NAME for one in arg.declarations)
    ]
    return spans[-1]


def _refuse(graph: StageGraph, message: str, span: Span) -> NoReturn:
    raise _refusal(graph, message, span)


def _refusal(
    graph: StageGraph, message: str, span: Span, hint: str | None = None
) -> DockerfileError:
    dockerfile = graph.dockerfile
    return DockerfileError(
        [Diagnostic(message, span, hint)],
        phase="graph",
        text=dockerfile.text,
        filename=dockerfile.filename,
    )
