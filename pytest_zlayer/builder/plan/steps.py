"""Stages become steps: every instruction expanded, with the key under which its layer is cached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Protocol

from pytest_zlayer.builder.cache.entries import key_of
from pytest_zlayer.builder.copy import Selection
from pytest_zlayer.builder.model.builder_args import DEFAULT_HOSTNAME
from pytest_zlayer.builder.oci.chain import Chain
from pytest_zlayer.builder.plan.located import located
from pytest_zlayer.builder.plan.reads import copy_reads, run_reads
from pytest_zlayer.builder.store.base_images import BaseImage
from pytest_zlayer.choices import NetworkMode
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.dispatch.instruction import (
    StageState,
    begin_stage,
    dispatch,
    triggers_of,
)
from pytest_zlayer.dockerfile.errors import harmless
from pytest_zlayer.dockerfile.instructions import AnyInstruction
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import (
    CacheMount,
    CopyOperation,
    MetadataOperation,
    Operation,
    RunOperation,
    SourceRef,
    WorkdirOperation,
)
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, stage_label

# Bump when a layer built from the same input would come out differently.
CACHE_VERSION = 3


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction ready to run.

    Attributes:
        number: position in the stage, from 1 (triggers of the base image come first).
        instruction: what stands in the Dockerfile.
        operation: what is to be done for it.
        state: the stage's configuration and variables after it.
        key: key of the layer chain up to and including this step; unchanged by metadata.
        selection: the files a COPY or ADD from a context or URL takes.
        below: the key of what it is put on.
        reads: what its key is made from besides: names and values.
    """

    number: int
    instruction: AnyInstruction
    operation: Operation
    state: StageState
    key: str
    selection: Selection | None = None
    below: str = ""
    reads: Sequence[tuple[str, Any]] = ()

    @property
    def makes_layer(self) -> bool:
        """Whether running it may add a layer."""
        return not isinstance(self.operation, MetadataOperation)

    @property
    def text(self) -> str:
        """The step on one line, shortened and printable."""
        return harmless(one_line(str(self.instruction)))

    @property
    def history(self) -> str:
        """What the history of an image says of it: what was done, not how it was written."""
        match self.operation:
            case RunOperation(argv=argv):
                return "RUN " + " ".join(argv)
            case WorkdirOperation(path=path):
                return f"WORKDIR {path}"
        return str(self.instruction)


@dataclass(frozen=True, slots=True)
class StagePlan:
    """A stage with all its steps known and nothing run yet.

    ``base`` is the base image, ``None`` for scratch or when the base is the stage ``base_stage``;
    ``origin``: what the keys of all its steps depend on, as texts for people;
    ``root``: the base image at the bottom of the stage, ``None`` for scratch; ``until``: how many
    steps are performed, ``None`` for all.
    """

    index: int
    label: str
    base: BaseImage | None
    base_stage: int | None
    base_key: str
    begin: StageState
    steps: tuple[Step, ...]
    root: BaseImage | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    until: int | None = None

    @property
    def performed(self) -> tuple[Step, ...]:
        """The steps that are performed."""
        return self.steps[: self.until]

    @property
    def layer_steps(self) -> Sequence[Step]:
        """The steps that have keys of their own."""
        return [step for step in self.steps if step.makes_layer]

    @property
    def base_chain(self) -> Chain:
        """The layers of the base image at the bottom of the stage."""
        return Chain() if self.root is None else self.root.chain

    @property
    def key(self) -> str:
        """Key of everything in the stage's file system."""
        return self.steps[-1].key if self.steps else self.base_key

    @property
    def state(self) -> StageState:
        """Configuration and variables at the end of the stage."""
        return self.steps[-1].state if self.steps else self.begin

    def state_before(self, step: Step) -> StageState:
        """Configuration and variables that ``step`` begins with."""
        return self.steps[step.number - 2].state if step.number > 1 else self.begin


def one_line(text: str, limit: int = 120) -> str:
    """The first line of ``text``, shortened to ``limit`` characters."""
    head, *rest = text.strip().split("\n", 1)
    cut = len(head) > limit or bool(rest)
    return f"{head[: limit - 1].rstrip()}…" if cut else head


class PlanInputs(Protocol):
    """What planning asks of contexts, images and the network."""

    def base_image(self, graph: StageGraph, index: int) -> BaseImage:
        """The base image of a stage."""

    def image_id(self, reference: str) -> str:
        """The id of an image that a COPY or mount takes files from."""

    def select(self, operation: CopyOperation) -> tuple[Selection, str]:
        """The files an operation takes from a context, and a digest of them."""

    def digest(self, source: SourceRef, path: str) -> str:
        """A digest of a directory or file of a context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """What a declaration and the options say about all stages.

    Attributes:
        cache_mounts: targets mounted as caches in every RUN that mounts nothing there itself.
        network: of RUN steps that do not say it.
        platform: of the image.
        scope: keeps cached layers apart from those of other scopes.
        source_date_epoch: the latest time that files in new layers have.
        limits: what RUN steps may take, and the hosts they know by name.
        hostname: what RUN steps see as the name of the machine.
    """

    cache_mounts: tuple[str, ...] = ()
    network: NetworkMode | None = None
    platform: str = ""
    scope: str = ""
    source_date_epoch: int | None = None
    limits: tuple[tuple[str, Any], ...] = ()
    hostname: str = DEFAULT_HOSTNAME

    @property
    def run_reads(self) -> list[Any]:
        """What every RUN reads besides what its instruction says."""
        named = [] if self.hostname == DEFAULT_HOSTNAME else [("hostname", self.hostname)]
        return [*self.limits, *named]

    def root_key(self, kind: str, name: str) -> str:
        """The key that all keys of stages beginning here depend on."""
        return key_of(CACHE_VERSION, kind, name, self.scope, self.source_date_epoch)


class StagePlanner:
    """Plans the needed stages of one build in file order."""

    def __init__(self, graph: StageGraph, inputs: PlanInputs, settings: PlanSettings) -> None:
        self._graph = graph
        self._inputs = inputs
        self._settings = settings
        self._plans: dict[int, StagePlan] = {}

    def plan(self) -> dict[int, StagePlan]:
        """All needed stages by index."""
        for index in self._graph.needed:
            self._of(index)
        return self._plans

    def _of(self, index: int) -> StagePlan:
        """A stage's plan; triggers of a base image may need stages nobody else needs."""
        if index not in self._plans:
            self._plans[index] = self._plan_stage(index)
        return self._plans[index]

    def _plan_stage(self, index: int) -> StagePlan:
        node = self._graph.nodes[index]
        settings, root = self._settings, None
        base, base_stage, key = None, None, settings.root_key("scratch", settings.platform)
        start: ImageConfig | StageState
        if node.base.kind == "stage":
            base_stage = node.base.index
            start, key = self._of(base_stage).state, self._of(base_stage).key
            root = self._of(base_stage).root
        elif node.base.kind == "scratch":
            start = ImageConfig()
        else:
            with located(self._graph, node.stage.from_.image.span):
                base = self._inputs.base_image(self._graph, index)
            start, key = base.config, settings.root_key("image", base.id)
            root = base
        begin = begin_stage(self._graph, index, start)
        inherited = start.config if isinstance(start, StageState) else start
        instructions = (
            *triggers_of(self._graph, index, inherited),
            *node.stage.instructions,
        )
        steps = tuple(self._steps(index, begin, instructions, key))
        return StagePlan(
            index,
            stage_label(node.stage),
            base,
            base_stage,
            key,
            begin,
            steps,
            root,
            self._origin(root),
        )

    def _origin(self, root: BaseImage | None) -> Mapping[str, str]:
        settings = self._settings
        epoch = settings.source_date_epoch
        return {
            "version of the cache": str(CACHE_VERSION),
            "platform": settings.platform,
            "cache scope": settings.scope or "none",
            "SOURCE_DATE_EPOCH": "none" if epoch is None else str(epoch),
            "base image": "scratch" if root is None else root.id[:12],
        }

    def _steps(
        self, index: int, state: StageState, instructions: tuple[AnyInstruction, ...], key: str
    ) -> Iterator[Step]:
        for number, instruction in enumerate(instructions, start=1):
            state, operation = dispatch(self._graph, index, state, instruction)
            selection, below, named = None, key, []
            match operation:
                case RunOperation():
                    operation = self._with_defaults(operation)
                    with located(self._graph, instruction.span):
                        reads = run_reads(operation, self._source_key)
                        key = key_of(key, *reads, *self._settings.run_reads)
                        named = [*reads[1:], *self._settings.run_reads]
                case CopyOperation():
                    with located(self._graph, instruction.span):
                        selection, reads = self._copy_reads(operation)
                    key = key_of(key, *reads)
                    named = [*reads[:-1], ("content", reads[-1])]
                case WorkdirOperation():
                    key = key_of(key, "WORKDIR", operation.path, operation.user)
                    named = [("path", operation.path), ("user", operation.user)]
                case MetadataOperation():
                    pass
            yield Step(number, instruction, operation, state, key, selection, below, named)

    def _with_defaults(self, operation: RunOperation) -> RunOperation:
        taken = {mount.target for mount in operation.mounts}
        extra = tuple(
            CacheMount(target=target, id=target)
            for target in self._settings.cache_mounts
            if target not in taken
        )
        network = operation.network
        if network == "default" and self._settings.network is not None:
            network = self._settings.network
        return replace(operation, mounts=(*operation.mounts, *extra), network=network)

    def _copy_reads(self, operation: CopyOperation) -> tuple[Selection | None, list[Any]]:
        if operation.from_.kind == "context":
            selection, content = self._inputs.select(operation)
            return selection, copy_reads(operation, content)
        content = key_of(list(operation.sources), self._source_key(operation.from_, "/"))
        return None, copy_reads(operation, content)

    def _source_key(self, source: SourceRef, path: str) -> str:
        match source.kind:
            case "stage":
                return self._of(source.index).key
            case "image":
                return self._inputs.image_id(source.name)
            case "context":
                return self._inputs.digest(source, path)
            case "scratch":
                return "scratch"
