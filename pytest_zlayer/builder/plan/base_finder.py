"""Looking up the base images of one build, each once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.context.sources import Sources
from pytest_zlayer.builder.plan.located import located
from pytest_zlayer.builder.store.base_images import (
    DOCKER_IMAGE,
    OCI_LAYOUT,
    BaseImage,
    BaseImageError,
    BaseImages,
    Failing,
)
from pytest_zlayer.choices import PullMode
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, similar_name
from pytest_zlayer.errors import UsageError
from pytest_zlayer.waiting import held


class BaseFinder:
    """Base images of one build, each looked up once.

    Args:
        bases: finds and pulls them.
        mode: when they are pulled.
        platform: of the image.
        may_spare: whether cached layers may spare the pull of a reference; further, whether the
            image to be built needs it unless they are in this store.
    """

    def __init__(
        self,
        bases: BaseImages,
        mode: PullMode,
        platform: str | None,
        *,
        may_spare: Callable[[str, bool], bool] = lambda *_: False,
    ) -> None:
        self._bases = bases
        self._may_spare = may_spare
        self._mode = mode
        self._platform = platform
        self._found: dict[tuple[str, str | None], BaseImage] = {}
        self._guard = threading.Lock()

    def source(
        self,
        graph: StageGraph,
        reference: str,
        platform: str | None = None,
        failing: Failing | None = None,
    ) -> BaseImage:
        """The image that a FROM, a COPY or a mount names; the hint says which stage is meant."""
        try:
            return self.image(reference, platform, failing)
        except (BaseImageError, EngineError) as error:
            meant = similar_name(graph, reference)
            if meant is None or not _is_nowhere(error):
                raise
            raise BaseImageError(error.message, hint=f"did you mean {meant}?") from error

    def copied(self, graph: StageGraph, reference: str) -> BaseImage:
        """The image that a COPY or mount takes files from."""
        failing = nullcontext if self._may_spare(reference, False) else None
        return self.source(graph, reference, failing=failing)

    def references(self) -> list[str]:
        """What was asked for so far."""
        with held(self._guard):
            return [reference for reference, _ in self._found]

    def image(
        self, reference: str, platform: str | None = None, failing: Failing | None = None
    ) -> BaseImage:
        """The image ``reference`` stands for; with ``failing`` it may be pulled later, in that."""
        wanted = platform or self._platform
        with held(self._guard):
            if (reference, wanted) not in self._found:
                found = self._bases.get(reference, self._mode, wanted, failing)
                self._found[reference, wanted] = found
            return self._found[reference, wanted]

    def base_of(self, graph: StageGraph, index: int, sources: Sources) -> BaseImage:
        """The base image of a stage."""
        base = graph.nodes[index].base
        failing = None
        if self._may_spare(base.name, _is_under_target(graph, index)):
            failing = partial(located, graph, graph.nodes[index].stage.from_.image.span)
        if base.kind != "context":
            return self.source(graph, base.name, base.platform, failing)
        reference = sources.image_reference(base.name)
        if reference is None:
            raise UsageError(
                f"build context {base.name} is a directory and cannot be a base image",
                hint=f"give it as {DOCKER_IMAGE}REFERENCE or {OCI_LAYOUT}PATH",
            )
        return self.image(reference, base.platform, failing)


class FoundInputs:
    """What planning asks for: base images as they are found, files as the sources have them."""

    def __init__(self, found: BaseFinder, sources: Sources, graph: StageGraph) -> None:
        self._found = found
        self._graph = graph
        self._sources = sources
        self.select = sources.select
        self.digest = sources.digest

    def base_image(self, graph: StageGraph, index: int) -> BaseImage:
        """The base image of a stage."""
        return self._found.base_of(graph, index, self._sources)

    def image_id(self, reference: str) -> str:
        """The id of an image that a COPY or mount takes files from."""
        return self._found.copied(self._graph, reference).id


def _is_under_target(graph: StageGraph, index: int) -> bool:
    """Whether the image that is built has the layers of this stage."""
    node = graph.nodes[graph.target]
    while node.stage.index != index and node.base.kind == "stage":
        node = graph.nodes[node.base.index]
    return node.stage.index == index


def _is_nowhere(error: BaseImageError | EngineError) -> bool:
    """Whether the name may be wrong; docker.io says of unknown names that access is denied."""
    return isinstance(error, BaseImageError) or error.failure.kind in {"transient", "permanent"}
