"""What ``COPY --from`` and ``RUN --mount=from`` name: a stage, a context, an image, nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.instructions import AnyInstruction, Copy, Run
from pytest_zlayer.dockerfile.operations.kinds import SourceRef
from pytest_zlayer.dockerfile.operations.mounts import mount_from, parse_mount
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.stages.scope import NOTHING, read_word
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.references import parse_reference
from pytest_zlayer.dockerfile.values.scalars import parse_integer

SCRATCH = "scratch"
NO_EXPANSION = (
    "variable expansion is not supported for --from, define a new stage with FROM using ARG from"
    " global scope as a workaround"
)

# BuildKit keeps these two names for itself: a named context never replaces them.
RESERVED_NAMES = frozenset({"scratch", "context"})


def find_context(name: str, contexts: Collection[str]) -> str | None:
    """The named context that takes the place of the stage or image ``name``, as the user wrote it.

    ``alpine``, ``alpine:latest`` and ``docker.io/library/alpine`` are one name.
    """
    if not contexts or name.lower() in RESERVED_NAMES:
        return None
    wanted = _context_key(name)
    return next((one for one in contexts if _context_key(one) == wanted), None)


def _context_key(name: str) -> str:
    try:
        return parse_reference(name).familiar.removesuffix(":latest")
    except ValueError:
        return name


def reference_problem(name: str) -> str | None:
    """Why ``name`` is no image reference, in BuildKit's words, or ``None``."""
    try:
        parse_reference(name)
    except ValueError as problem:
        return f"failed to parse stage name {go_quote(name)}: {problem}"
    return None


@dataclass(frozen=True, slots=True)
class SourceTable:
    """The stages and contexts that a ``from`` may name.

    Attributes:
        names: lower-case stage name to index; of stages with one name the last.
        count: how many stages there are.
        replaced: index of each stage whose place a named context has taken, to its name.
        contexts: all named contexts.
        escape: the Dockerfile's escape character.
    """

    names: Mapping[str, int]
    count: int
    replaced: Mapping[int, str]
    contexts: Collection[str]
    escape: str

    def find(self, reference: FromReference) -> SourceRef:
        """What a reference names.

        Raises:
            ValueError: BuildKit's message.
        """
        if reference.kind == "copy":
            return self.copy_source(reference.raw)
        return self.mount_source(reference.raw)

    def copy_source(self, raw: str) -> SourceRef:
        """What ``COPY --from=raw`` names: a stage name or index, else a context or an image.

        Raises:
            ValueError: BuildKit's message.
        """
        reading = read_word(raw, NOTHING, self.escape)
        if reading.error is not None:
            raise ValueError(reading.error)
        if reading.value != raw:
            raise ValueError(NO_EXPANSION)
        try:
            index = parse_integer(raw)
        except ValueError:
            return self._by_name(raw)
        return self._by_index(index)

    def mount_source(self, raw: str) -> SourceRef:
        """What ``from=raw`` of a mount names; numbers are no indexes here.

        Raises:
            ValueError: BuildKit's message.
        """
        return self._by_name(raw)

    def _by_index(self, index: int) -> SourceRef:
        if not 0 <= index < self.count:
            raise ValueError(f"invalid stage index {index}")
        return self._stage(index)

    def _by_name(self, name: str) -> SourceRef:
        index = self.names.get(name.lower())
        if index is not None:
            return self._stage(index)
        if name == SCRATCH:
            return SourceRef("scratch")
        problem = reference_problem(name)
        if problem is not None:
            raise ValueError(problem)
        context = find_context(name, self.contexts)
        return SourceRef("image", name) if context is None else SourceRef("context", context)

    def _stage(self, index: int) -> SourceRef:
        if index in self.replaced:
            return SourceRef("context", self.replaced[index])
        return SourceRef("stage", index=index)


@dataclass(frozen=True, slots=True)
class FromReference:
    """One ``--from`` or mount ``from``; ``target`` is that of the mount as it is written."""

    kind: Literal["copy", "mount"]
    raw: str
    span: Span
    target: str = ""


def references_in(instructions: Iterable[AnyInstruction]) -> Iterator[FromReference]:
    """What the COPY and RUN among ``instructions`` refer to, in order."""
    for instruction in instructions:
        if isinstance(instruction, Copy):
            word = instruction.from_
            if word is not None and word.value:
                yield FromReference("copy", word.value, word.span)
        elif isinstance(instruction, Run):
            for mount in instruction.mounts:
                source = mount_from(mount.value)
                if source:
                    yield FromReference("mount", source, mount.span, _target(mount.value))


def _target(raw: str) -> str:
    try:
        return parse_mount(raw, lambda value: value).target
    except ValueError:
        return ""
