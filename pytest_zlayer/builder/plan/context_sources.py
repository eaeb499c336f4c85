"""COPY and ADD of files that a build context does not have, found before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from pytest_zlayer.builder.context.build_context import Context, DirectoryContext, EmptyContext
from pytest_zlayer.builder.copy.missing import why_missing
from pytest_zlayer.builder.copy.remote import remote_kind
from pytest_zlayer.builder.copy.select import has_wildcard
from pytest_zlayer.builder.copy.walk import Presence
from pytest_zlayer.builder.files.paths import clean, follow
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile import Add, Copy, Diagnostic, DockerfileError, Word
from pytest_zlayer.dockerfile.dispatch.instruction import StageState, begin_stage, dispatch
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation, SourceRef
from pytest_zlayer.dockerfile.stages.graph import StageGraph, error_in
from pytest_zlayer.dockerfile.values.quoting import go_quote


def check_context_sources(graph: StageGraph, spec: ImageSpec) -> None:
    """Look for what the needed stages take from directories that are build contexts.

    Left to the build: patterns, remote sources, other kinds of contexts, and words with variables
    in stages on an image, which may define them.

    Raises:
        DockerfileError: phase ``dispatch``, all sources that are not there.
        UsageError: an ignore file cannot be understood.
    """
    problems = list(_Search(graph, spec).problems())
    if problems:
        raise error_in(graph.dockerfile, problems, "dispatch")


@dataclass(slots=True)
class _Search:
    graph: StageGraph
    spec: ImageSpec
    states: dict[int, StageState] = field(default_factory=dict)
    contexts: dict[str, Presence | None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def problems(self) -> Iterator[Diagnostic]:
        for index in self.graph.needed:
            yield from self._in_stage(index)

    def _in_stage(self, index: int) -> Iterator[Diagnostic]:
        node = self.graph.nodes[index]
        base = self.states.get(node.base.index, ImageConfig())
        state = begin_stage(self.graph, index, base)
        for instruction in node.stage.instructions:
            try:
                state, operation = dispatch(self.graph, index, state, instruction)
            except DockerfileError:
                break  # with the variables of the base image it may be right
            if isinstance(instruction, (Copy, Add)) and isinstance(operation, CopyOperation):
                yield from self._in_copy(instruction, operation, index)
        self.states[index] = state

    def _in_copy(
        self, instruction: Copy | Add, operation: CopyOperation, index: int
    ) -> Iterator[Diagnostic]:
        presence = self._context(operation.from_)
        if presence is None:
            return
        sure = self._begins_empty(index)
        for word, text in zip(instruction.sources, operation.sources, strict=True):
            if remote_kind(text) == "path" and not has_wildcard(text) and (sure or _plain(word)):
                problem = self._missing(presence, operation.from_, word, text)
                if problem is not None:
                    yield problem

    def _missing(
        self, presence: Presence, source: SourceRef, word: Word, text: str
    ) -> Diagnostic | None:
        path = clean(text)
        try:
            if presence.lstat(follow(presence.lstat, path)) is not None:
                return None
            hint = _comment(word, text) or why_missing(presence, path)
        except OSError:
            return None  # the build says what is wrong
        where = self.names[source.name]
        return Diagnostic(f"{go_quote(path)}: not found in {where}", word.span, hint)

    def _begins_empty(self, index: int) -> bool:
        """Whether every variable of a stage is known, for no image stands below it."""
        base = self.graph.nodes[index].base
        return base.kind == "scratch" or (base.kind == "stage" and self._begins_empty(base.index))

    def _context(self, source: SourceRef) -> Presence | None:
        if source.kind != "context":
            return None
        if source.name not in self.contexts:
            found = self._open(source.name)
            self.contexts[source.name] = (
                Presence(found.rootfs(), found.ignore) if found is not None else None
            )
            self.names[source.name] = self._called(source.name, found)
        return self.contexts[source.name]

    def _called(self, name: str, context: Context | None) -> str:
        if name:
            return f"the build context {name} ({'' if context is None else context.name})"
        if isinstance(context, EmptyContext):
            return context.name
        return f"the build context {self.spec.context_name}"

    def _open(self, name: str) -> Context | None:
        if isinstance(self.spec.build_contexts.get(name), ImageSpec):
            return None
        path = Path(str(self.spec.build_contexts[name])) if name else self.spec.context
        if path is None:
            return EmptyContext()
        if not path.is_dir():
            return None
        return DirectoryContext(path) if name else DirectoryContext(path, self.spec.dockerfile)


def _comment(word: Word, text: str) -> str | None:
    if not text.startswith("#"):
        return None
    return f"a comment has a line of its own; here {word} is one of the files to copy"


def _plain(word: Word) -> bool:
    return "$" not in word.value
