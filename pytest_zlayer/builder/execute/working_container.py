"""The working container of a stage: RUN steps run in it, and what they change is read from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_zlayer.buildah.commands.arguments import Limits
from pytest_zlayer.buildah.files.changes import AgentChanges, Change, LocalChanges
from pytest_zlayer.buildah.files.rootfs import AgentRootfs, Entry, LocalRootfs
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.oci.chain import Layer
from pytest_zlayer.builder.oci.difference import difference
from pytest_zlayer.builder.oci.layer import LayerEntry


def _limits(spec: ImageSpec) -> Limits | None:
    given = spec.run_limits()
    return Limits(**given) if given else None


class WorkingContainer:
    """A container that has all layers of a stage, those too that are not in the store yet.

    Attributes:
        name: what buildah calls it.
        files: its files.
        size: bytes that this build has written to it.
    """

    def __init__(self, build: Build, image: str) -> None:
        engine = build.engine
        self.name = engine.from_image(image, limits=_limits(build.plan.spec))
        build.views.hold(self.name)
        self.files: LocalRootfs | AgentRootfs = engine.mount(self.name)
        self.size = 0
        self._build = build
        self._changes: LocalChanges | AgentChanges | None = engine.changes(self.files)
        # The last look at the changes; ``None`` when there have been others since.
        self._seen: Mapping[str, Change] | None = None

    @property
    def tells_changes(self) -> bool:
        """Whether what a RUN changes can be read from it; otherwise only buildah can tell."""
        return self._changes is not None

    @property
    def is_there(self) -> bool:
        """Whether it has not been removed with the others at the end of the build."""
        return self._build.views.holds(self.name)

    def look(self) -> None:
        """See how it is before a command runs in it."""
        if self._changes is not None and self._seen is None:
            self._seen = self._changes.scan()

    def changes(self, restored: Mapping[str, Entry]) -> tuple[LayerEntry, ...] | None:
        """What has changed since the last look; ``None`` where only buildah can tell.

        Args:
            restored: directories in which mount points were made and removed, as they were before.
        """
        if self._changes is None or self._seen is None:
            return None
        before, self._seen = self._seen, self._changes.scan()
        return tuple(difference(before, self._seen, self._changes.files, restored=restored))

    def apply(self, layer: Layer) -> None:
        """Put a layer that we have composed on its files."""
        if self._changes is not None and layer.blob is not None:
            self._changes.apply(layer.blob, self._build.check)
            self._seen = None
            self.size += layer.size

    def remove_empty(self, paths: Sequence[str]) -> None:
        """Take away those of these files and directories that are empty."""
        self._build.engine.remove_empty(self.files, paths)

    def commit(self, name: str) -> str:
        """Let buildah make an image of it, and with it the layer of what a RUN has changed."""
        timestamp = self._build.source_date_epoch
        image = self._build.engine.commit(self.name, name=name, timestamp=timestamp)
        self.offer(image)
        return image

    def offer(self, image: str) -> None:
        """Let readers of the files of ``image``, which are these, find them here."""
        self._build.views.offer(image, self.name, self.files)
