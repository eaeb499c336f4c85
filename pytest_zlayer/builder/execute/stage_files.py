"""The file system of a stage as it grows: an image of the store, pending layers, a container."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_zlayer.buildah.files.rootfs import Entry, LocalRootfs, Rootfs
from pytest_zlayer.builder.cache.entries import CachedLayers, key_of
from pytest_zlayer.builder.context.sources import host_path
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.execute.pending_layers import Head, PendingLayers
from pytest_zlayer.builder.execute.working_container import WorkingContainer
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.builder.oci.chain import Chain
from pytest_zlayer.builder.oci.layer import LayerEntry
from pytest_zlayer.builder.oci.overlay import LayeredRootfs
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.builder.store.base_images import BaseImage

SCRATCH = "scratch"
# Bytes that a container may hold which is kept only because somebody may read its files.
_LITTLE = 100_000_000


class StageFiles:
    """Grows the file system of one stage. Used by one thread at a time.

    Args:
        build: the build under way.
        head: where the stage begins.
        plan: the stage.
        parent: the files of the stage in whose container it goes on.
        below: the files of the stage it is built from, in a container of its own.
    """

    def __init__(
        self,
        build: Build,
        head: Head,
        plan: StagePlan,
        *,
        parent: StageFiles | None = None,
        below: StageFiles | None = None,
    ) -> None:
        self._build = build
        self._base = plan.base
        self._parent = parent
        self.layers: PendingLayers = PendingLayers(
            build,
            head,
            plan,
            parent.layers if parent else None,
            keys=below.layers.keys() if below else (),
        )
        self._container: WorkingContainer | None = None
        self._tells_changes = build.engine.storage.has_upper  # until a container shows it

    @property
    def head(self) -> Head:
        """How far the stage has come, with the layers of the stage below it in the store."""
        return self.layers.head

    def stored_head(self) -> Head:
        """How far the stage has come, with all its layers in the store."""
        return self.layers.stored_head()

    def chain(self) -> Chain:
        """All layers and their history; those that are not in the store yet with their files."""
        return self.layers.chain()

    # -- reading ------------------------------------------------------------------------------

    def rootfs(self) -> Rootfs:
        """The stage's files as they are now; once flushed they lie in a directory."""
        container = self._living()
        if container is not None:
            return container.files
        if any(one.entries is None for one in self.layers.pending):
            self.layers.flush()  # only the store can put such a layer on what lies below it
        image = self._readable()
        base = EmptyRootfs() if image is None else self._build.views.rootfs(image)
        above = [one.entries for one in self.layers.pending if one.entries is not None]
        return LayeredRootfs(base, above) if above else base

    def host_path(self, path: str) -> Path:
        """Where a file or directory of the stage lies on this machine."""
        if self._living() is None:
            self.layers.flush()
        rootfs = self.rootfs()
        if isinstance(rootfs, EmptyRootfs):
            empty = self._build.fresh_path("empty")
            empty.mkdir()
            rootfs = LocalRootfs(empty)
        return host_path(rootfs, path)

    def _readable(self) -> str | None:
        """The image of which the files can be read, without the pending layers."""
        part = self.head.part
        if part is not None and self._build.views.has_only(part.image, part.count):
            return part.image
        self.make_runnable()
        return self.head.image

    # -- running ------------------------------------------------------------------------------

    def open(self) -> str:
        """The container to run the next command in; a new one has the files of all layers."""
        container = self._living()
        if container is None:
            self.layers.flush()
            self.make_runnable()
            container = WorkingContainer(self._build, self.head.image or SCRATCH)
            self._container, self._tells_changes = container, container.tells_changes
        container.look()
        self.layers.put_off()
        return container.name

    def expect_run(self) -> None:
        """Have a container ready where that spares an image between what comes now and a RUN."""
        if self._living() is None and self._tells_changes:
            self.open()

    def make_runnable(self) -> None:
        """Go on from an image without configuration, if it must be another for that."""
        head, base = self.head, self._base
        if head.part is not None:
            self.layers.make_bare(head.part.key)
        elif base is not None and head.image == base.id and not self._may_run(base):
            self.layers.make_bare(key_of("bare", base.id))

    def _may_run(self, base: BaseImage) -> bool:
        return base.runnable and (base.whole or self._tells_changes)

    def _living(self) -> WorkingContainer | None:
        """The container, unless it was removed with the others at the end of the build."""
        if self._container is None and self._parent is not None and self.layers.stands_on_parent:
            self._container = self._parent.give_container()
        if self._container is not None and not self._container.is_there:
            self._container = None
        return self._container

    def give_container(self) -> WorkingContainer | None:
        """Let somebody else go on with the container, if there is one."""
        container, self._container = self._living(), None
        return container

    def remove_empty(self, paths: Sequence[str]) -> None:
        """Take away those of these files and directories of the container that are empty."""
        if self._container is not None:
            self._container.remove_empty(paths)

    def abandon(self) -> None:
        """Never use the container again: a command has failed in it."""
        self._container = None

    def take(self, step: Step, restored: Mapping[str, Entry]) -> None:
        """Make what a command has changed in the container the layer of ``step``.

        Args:
            step: the RUN.
            restored: directories in which mount points were made and removed, as they were before.
        """
        container = self._container
        if container is None:
            raise AssertionError("a RUN without its container")  # pragma: no cover
        entries = container.changes(restored)
        if entries is None:
            self._commit(container, step)
            return
        container.size += self.layers.add(step, entries, composed=False).size
        self.layers.flush_soon()

    def _commit(self, container: WorkingContainer, step: Step) -> None:
        """Let buildah make the layer, and the image with it."""
        image = container.commit(self._build.layer_name(step.key))
        self._build.layer_added(step.key)
        self._container = None
        self.layers.go_on_from(image, step.key)

    def hold(self, key: str, lock: contextlib.ExitStack) -> None:
        """Keep the lock of a layer until others can find it in the store."""
        self.layers.hold(key, lock)

    # -- layers -------------------------------------------------------------------------------

    def adopt(self, layers: CachedLayers) -> None:
        """Go on from cached layers."""
        self.layers.adopt(layers)
        self._container = None

    def put(self, step: Step, entries: tuple[LayerEntry, ...]) -> None:
        """Put a layer of ``entries`` on top; it reaches the store with the next ``flush``."""
        container = self._living()
        if container is not None and not container.tells_changes:
            container = self._container = None  # buildah could not tell it from that of a RUN
        layer = self.layers.add(step, entries, composed=True)
        if container is not None:
            container.apply(layer)

    def finish(self, *, successor: bool, wanted: bool, alone: bool) -> None:
        """The stage has all its layers.

        Args:
            successor: a stage that is built from it goes on in its container, and needs no image.
            wanted: a stage that is built from it needs its image.
            alone: the layers reach the store with the final image first.
        """
        self.layers.finish()
        if wanted and not (successor and self._living()):
            self.layers.flush()
        elif alone:
            self.layers.stop_timer()
        else:
            self.layers.flush_soon(at_once=True, wanted=wanted)

    def stored(self, image: str) -> None:
        """Note that all layers are in ``image``, which has the names that it was to have."""
        self.layers.stored(image)
        container = self._living()
        if container is not None and container.tells_changes and container.size <= _LITTLE:
            self._container = None
            # Others find the layers in the head, which is another image if they were stored before.
            container.offer(self.head.image or image)
