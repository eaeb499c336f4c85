"""Base images of one build: each looked up once, and a suggestion when one is nowhere."""

from __future__ import annotations

import threading

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.context.sources import Sources
from pytest_zlayer.builder.store.base_images import (
    DOCKER_IMAGE,
    OCI_LAYOUT,
    BaseImage,
    BaseImageError,
    BaseImages,
)
from pytest_zlayer.choices import PullMode
from pytest_zlayer.dockerfile.stages.resolve import StageGraph, similar_name
from pytest_zlayer.errors import UsageError


class BaseFinder:
    """Base images of one build, each looked up once."""

    def __init__(self, bases: BaseImages, mode: PullMode, platform: str | None) -> None:
        self._bases = bases
        self._mode = mode
        self._platform = platform
        self._found: dict[tuple[str, str | None], BaseImage] = {}
        self._guard = threading.Lock()

    def source(self, graph: StageGraph, reference: str, platform: str | None = None) -> BaseImage:
        """The image that a FROM, a COPY or a mount names; the hint says which stage is meant."""
        try:
            return self.image(reference, platform)
        except (BaseImageError, EngineError) as error:
            meant = similar_name(graph, reference)
            if meant is None or not _is_nowhere(error):
                raise
            raise BaseImageError(error.message, hint=f"did you mean {meant}?") from error

    def image(self, reference: str, platform: str | None = None) -> BaseImage:
        """The image ``reference`` stands for."""
        wanted = platform or self._platform
        with self._guard:
            if (reference, wanted) not in self._found:
                found = self._bases.get(reference, self._mode, wanted)
                self._found[reference, wanted] = found
            return self._found[reference, wanted]

    def base_of(self, graph: StageGraph, index: int, sources: Sources) -> BaseImage:
        """The base image of a stage."""
        base = graph.nodes[index].base
        if base.kind != "context":
            return self.source(graph, base.name, base.platform)
        reference = sources.image_reference(base.name)
        if reference is None:
            raise UsageError(
                f"build context {base.name} is a directory and cannot be a base image",
                hint=f"give it as {DOCKER_IMAGE}REFERENCE or {OCI_LAYOUT}PATH",
            )
        return self.image(reference, base.platform)


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
        return self._found.source(self._graph, reference).id


def _is_nowhere(error: BaseImageError | EngineError) -> bool:
    """Whether the name may be wrong; docker.io says of unknown names that access is denied."""
    return isinstance(error, BaseImageError) or error.failure.kind in {"transient", "permanent"}
