"""The file system of a stage as it grows: an image of the store, and layers waiting to join it."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.files.changes import AgentChanges, Change, LocalChanges
from pytest_zlayer.buildah.files.rootfs import AgentRootfs, Entry, LocalRootfs, Rootfs
from pytest_zlayer.builder.cache.layer_cache import CachedLayers, key_of, part_name
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.builder.oci.config import (
    Chain,
    HistoryEntry,
    Layer,
    config_json,
    read_chain,
    timestamp_text,
    write_layout,
)
from pytest_zlayer.builder.oci.difference import difference
from pytest_zlayer.builder.oci.layer import LayeredRootfs, LayerEntry, write_layer
from pytest_zlayer.builder.plan.steps import Step
from pytest_zlayer.builder.retry import Interrupted
from pytest_zlayer.builder.store.base_images import BaseImage
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.errors import ZlayerError

SCRATCH = "scratch"
# Seconds that a finished RUN waits for the next one to begin, and then for its end, until it is put
# into the store alone: that costs as much for one layer as for several.
_GATHERING = 2.0
# Bytes that are still brought into the store when somebody wants the build to end at once, and
# that a container may hold which is kept only because somebody may read its files.
_LITTLE = 100_000_000


@dataclass(frozen=True, slots=True)
class PendingLayer:
    """A layer that is not in the store yet; ``entries`` where it is composed by us."""

    step: Step
    layer: Layer
    entries: tuple[LayerEntry, ...] | None


@dataclass(frozen=True, slots=True)
class Head:
    """How far a stage has come.

    ``image`` is ``None`` for an empty file system. Where it has more than the layers of the stage,
    or a configuration, ``part`` says how many of its layers count. ``chain`` (of the layers in the
    store, without the pending ones) is ``None`` until it was asked for.
    """

    image: str | None = None
    chain: Chain | None = None
    pending: tuple[PendingLayer, ...] = ()
    part: CachedLayers | None = None


@dataclass(slots=True)
class _Live:
    """The working container of a stage: all layers are on it, pending ones too.

    ``changes`` is ``None`` where only buildah can tell what a RUN has changed; ``state`` is the
    last look at them, ``None`` when they have changed since; ``size``: bytes written to it.
    """

    container: str
    files: LocalRootfs | AgentRootfs
    changes: LocalChanges | AgentChanges | None
    state: Mapping[str, Change] | None = None
    size: int = 0


@dataclass(slots=True)
class _Locks:
    """Locks of the layers that nobody else can find yet, by key."""

    held: dict[str, contextlib.ExitStack] = field(default_factory=dict)

    def release(self) -> None:
        while self.held:
            self.held.popitem()[1].close()


class StageFiles:
    """Grows the file system of one stage. Used by one thread at a time.

    Layers gather here and reach the store together: when somebody needs the image, when the stage
    is finished or fails, and soon after a RUN in any case, so that little is lost with a process
    that is killed, and others who want the same layers do not wait for long.
    """

    def __init__(
        self, build: Build, head: Head, base: BaseImage | None, *, parent: StageFiles | None = None
    ) -> None:
        self._build = build
        self._head = head
        self._base = base
        self._parent = parent  # until its layers are needed from the store
        self._live: _Live | None = None
        self._tells_changes = build.engine.storage.driver == "overlay"  # until a container shows it
        self._finished = False
        self._locks = _Locks()
        self._timer: threading.Timer | None = None
        self._guard = threading.RLock()  # of the head and the locks, against the timer

    @property
    def head(self) -> Head:
        """Where the stage stands, with all that it stands on in the store."""
        with self._guard:
            if self._parent is not None:
                ground = self._parent.stored_head()
                self._head, self._parent = replace(ground, pending=self._head.pending), None
            return self._head

    def stored_head(self) -> Head:
        """Where the stage stands, with all its layers in the store."""
        with self._guard:
            self.flush()
            return self.head

    def rootfs(self) -> Rootfs:
        """The stage's files as they are now; once flushed they lie in a directory."""
        live = self._living()
        if live is not None:
            return live.files
        if any(one.entries is None for one in self._head.pending):
            self.flush()  # only the store can put such a layer on what lies below it
        image = self._readable()
        return self._with_pending(
            EmptyRootfs() if image is None else self._build.views.rootfs(image)
        )

    def _readable(self) -> str | None:
        """The image of which the files can be read, without the pending layers."""
        part = self.head.part
        if part is not None and self._build.views.has_only(part.image, part.count):
            return part.image
        self.make_runnable()
        return self.head.image

    def _with_pending(self, base: Rootfs) -> Rootfs:
        layers = [one.entries for one in self._head.pending if one.entries is not None]
        return LayeredRootfs(base, layers) if layers else base

    # -- running ------------------------------------------------------------------------------

    def open(self) -> str:
        """The container to run the next command in; a new one has the files of all layers."""
        live = self._living()
        if live is None:
            self.flush()
            self.make_runnable()
            live = self._live = self._new_live(self.head.image or SCRATCH)
        if live.changes is not None and live.state is None:
            live.state = live.changes.scan()
        self._put_off()
        return live.container

    def expect_run(self) -> None:
        """Have a container ready where that spares an image between what comes now and a RUN."""
        if self._living() is None and self._tells_changes:
            self.open()

    def _new_live(self, image: str) -> _Live:
        engine = self._build.engine
        container = engine.from_image(image)
        self._build.views.hold(container)
        files = engine.mount(container)
        changes = engine.changes(files)
        self._tells_changes = changes is not None
        return _Live(container, files, changes)

    def _living(self) -> _Live | None:
        """The container, unless it was removed with the others at the end of the build."""
        if self._live is None and self._parent is not None:
            self._live = self._parent.give_container()
        if self._live is not None and not self._build.views.holds(self._live.container):
            self._live = None
        return self._live

    def give_container(self) -> _Live | None:
        """Let somebody else go on with the container, if there is one."""
        live, self._live = self._living(), None
        return live

    def remove_empty(self, paths: Sequence[str]) -> None:
        """Take away those of these files and directories of the container that are empty."""
        if self._live is not None:
            self._build.engine.remove_empty(self._live.files, paths)

    def abandon(self) -> None:
        """Never use the container again: a command has failed in it."""
        self._live = None

    def take(self, step: Step, restored: Mapping[str, Entry]) -> None:
        """Make what a command has changed in the container the layer of ``step``.

        Args:
            step: the RUN.
            restored: directories in which mount points were made and removed, as they were before.
        """
        live = self._live
        if live is None:
            raise AssertionError("a RUN without its container")  # pragma: no cover
        if live.changes is None or live.state is None:
            self._commit(live, step)
            return
        before, live.state = live.state, live.changes.scan()
        entries = difference(before, live.state, live.changes.files, restored=restored)
        live.size += self._add(step, entries, composed=False).size
        self._flush_soon(_GATHERING)

    def _commit(self, live: _Live, step: Step) -> None:
        """Let buildah make the layer, and the image with it."""
        image = self._build.engine.commit(
            live.container,
            name=self._build.layer_name(step.key),
            timestamp=self._build.source_date_epoch,
        )
        self._build.layer_added(step.key)
        self._build.views.offer(image, live.container, live.files)
        with self._guard:
            self._head, self._live, self._parent = Head(image), None, None
            self._locks.release()

    def guard(self, key: str, lock: contextlib.ExitStack) -> None:
        """Keep the lock of a layer until others can find it in the store."""
        with self._guard:
            pending = any(one.step.key == key for one in self._head.pending)
            if pending and not self._build.plan.spec.no_cache:
                self._locks.held[key] = lock
                return
        lock.close()

    # -- layers -------------------------------------------------------------------------------

    def adopt(self, layers: CachedLayers) -> None:
        """Go on from cached layers."""
        if self._locks.held:
            self.flush()
        for one in self._head.pending:  # they are in that image
            _remove_blob(one.layer)
        part = None if layers.count is None else layers
        self._head, self._live, self._parent = Head(layers.image, part=part), None, None
        self._adopted(layers)

    def _adopted(self, layers: CachedLayers) -> None:
        self._build.adopted.append(layers)
        self._build.cache.touch(layers.key)

    def put(self, step: Step, entries: tuple[LayerEntry, ...]) -> None:
        """Put a layer of ``entries`` on top; it reaches the store with the next ``flush``."""
        live = self._living()
        if live is not None and live.changes is None:
            live = self._live = None  # only buildah could tell such a layer from that of a RUN
        layer = self._add(step, entries, composed=True)
        if live is not None and live.changes is not None and layer.blob is not None:
            live.changes.apply(layer.blob)
            live.state = None
            live.size += layer.size

    def _add(self, step: Step, entries: tuple[LayerEntry, ...], *, composed: bool) -> Layer:
        directory = self._build.fresh_path("layer")
        directory.mkdir()
        blob = write_layer(entries, directory, timestamp=self._build.source_date_epoch)
        layer = Layer(blob.diff_id, blob.size, blob.path)
        pending = PendingLayer(step, layer, entries if composed else None)
        with self._guard:
            self._head = replace(self._head, pending=(*self._head.pending, pending))
        return layer

    def size_of(self, step: Step) -> int | None:
        """Bytes of the layer of a step, as long as it waits to reach the store."""
        pending = self._head.pending
        return next((one.layer.size for one in pending if one.step is step), None)

    def chain(self) -> Chain:
        """All layers and their history; those that are not in the store yet with their files."""
        with self._guard:
            chain = self._stored_chain()
            created = timestamp_text(self._build.now())
            for one in self._head.pending:
                chain = chain.add(one.layer, HistoryEntry(one.step.history, created))
            return chain

    def _stored_chain(self) -> Chain:
        head = self.head
        chain = head.chain
        if chain is None:
            chain = Chain()
            if head.image is not None:
                record = self._build.engine.inspect_image(head.image)
                chain = read_chain(record.manifest, record.config)
            if head.part is not None and head.part.count is not None:
                chain = chain.lowest(head.part.count)
            self._head = replace(head, chain=chain)
        return chain

    # -- the store ----------------------------------------------------------------------------

    def flush(self) -> None:
        """Bring pending layers into the store, as the cached layer of the last of them."""
        with self._guard:
            self._stop_timer()
            keys = [one.step.key for one in self._head.pending]
            if keys:
                self._import(self.chain(), keys)
            self._locks.release()
            self._build.cache.fulfil(keys)

    def finish(self, *, heir: bool, wanted: bool, alone: bool) -> None:
        """The stage has all its layers.

        Args:
            heir: a stage that stands on it goes on in its container, and needs no image.
            wanted: a stage that stands on it needs its image.
            alone: the layers reach the store with the final image first.
        """
        self._finished = True
        if wanted and not (heir and self._living()):
            self.flush()
        elif alone:
            with self._guard:
                self._stop_timer()
        else:
            self._flush_soon(wanted=wanted)

    @contextlib.contextmanager
    def part_names(self) -> Iterator[tuple[str, ...]]:
        """What an image with all layers of the stage is to be called: so others find them there.

        It is the only one of that name: nobody else makes another meanwhile, and there are no names
        for layers that are in the store already.
        """
        with self._guard, contextlib.ExitStack() as stack:
            keys = [one.step.key for one in self._head.pending]
            if not keys or self._build.plan.spec.no_cache:
                yield ()
                return
            if keys[-1] not in self._locks.held:
                lock = self._build.cache.locks.hold(keys[-1], lambda: None, self._build.check)
                stack.enter_context(lock)
            if self._build.cache.find_stored(keys[-1]) is None:
                yield self._part_names(keys)
            else:
                yield ()

    def _part_names(self, keys: Sequence[str]) -> tuple[str, ...]:
        below = len(self._stored_chain().layers)
        return tuple(part_name(key, count) for count, key in enumerate(keys, below + 1))

    def stored(self, image: str) -> None:
        """Note that all layers are in ``image``, which has the names that it was to have."""
        with self._guard:
            self._stop_timer()
            if keys := [one.step.key for one in self._head.pending]:
                chain = self.chain()
                self._settle(image, chain, CachedLayers(keys[-1], image, len(chain.layers)))
                self._build.layer_added(keys[-1])
                self._build.cache.fulfil(keys)
                self._locks.release()
        live = self._living()
        if live is not None and live.changes is not None and live.size <= _LITTLE:
            self._live = None
            # Others find the layers in the head, which is another image if they were stored before.
            self._build.views.offer(self._head.image or image, live.container, live.files)

    def save(self, *, at_once: bool) -> None:
        """Bring what is finished into the store, as far as possible.

        ``at_once``: somebody waits for the end of the build; only if it is quick.
        """
        with self._guard:
            self._stop_timer()
            try:
                size = sum(one.layer.size for one in self._head.pending)
                if not at_once or (size <= _LITTLE and not self._build.plan.spec.no_cache):
                    self.flush()
            except (ZlayerError, Interrupted, OSError):
                return  # the failure that brought us here is what counts
            finally:
                self._locks.release()
                self._build.cache.fulfil(one.step.key for one in self._head.pending)

    def _flush_soon(self, seconds: float = 0.0, *, wanted: bool = False) -> None:
        with self._guard:
            if not self._head.pending or (self._build.plan.spec.no_cache and not wanted):
                return
            if self._finished:
                keys = [one.step.key for one in self._head.pending]
                self._build.cache.promise(keys, self._flush_in_passing)
                self._stop_timer()
            if self._timer is None:
                self._timer = threading.Timer(seconds, self._flush_in_passing)
                self._timer.daemon = True
                self._timer.start()

    def _put_off(self) -> None:
        """The next command begins: what is pending may soon be more."""
        with self._guard:
            if self._timer is not None:
                self._stop_timer()
                self._flush_soon(_GATHERING)

    def _flush_in_passing(self) -> None:
        with self._guard:
            if self._timer is None:
                return
            if self._finished:
                self.save(at_once=False)
                return
            # What does not succeed now is tried again, and told, when the stage goes on.
            with contextlib.suppress(EngineError, Interrupted, OSError):
                self.flush()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def make_runnable(self) -> None:
        """Go on from an image without configuration, if it must be another for that."""
        head, base = self.head, self._base
        if head.part is not None:
            self._make_bare(head.part.key)
        elif base is not None and head.image == base.id and not self._may_run(base):
            self._make_bare(key_of("bare", base.id))

    def _may_run(self, base: BaseImage) -> bool:
        return base.runnable and (base.whole or self._tells_changes)

    def _make_bare(self, key: str) -> None:
        """Go on from an image that has the layers in the store and nothing else."""
        found = self._build.cached(key)
        chain, pending = self._stored_chain(), self._head.pending
        if found is not None and found.count is None:
            self._adopted(found)
            self._head = Head(found.image, chain, pending)
        else:
            self._import(chain, [key])
            self._head = replace(self._head, pending=pending)

    def _import(self, chain: Chain, keys: list[str]) -> None:
        """Make an image of ``chain`` with a bare configuration, cached under ``keys``: the head."""
        build, key = self._build, keys[-1]
        with contextlib.ExitStack() as stack:
            if key not in self._locks.held:
                stack.enter_context(build.cache.locks.hold(key, lambda: None, build.check))
            found = None if build.plan.spec.no_cache else build.cache.find_stored(key)
            if found is not None and found.count is None:
                # Another process has made it meanwhile; times may differ, files do not.
                self._settle(found.image, Chain())
            else:
                self._settle(self._import_new(chain, keys), chain)

    def _settle(self, image: str, chain: Chain, part: CachedLayers | None = None) -> None:
        """Go on from ``image``, which has all layers of ``chain``."""
        for one in self._head.pending:
            _remove_blob(one.layer)
        layers = tuple(Layer(one.diff_id, one.size) for one in chain.layers)
        self._head = Head(image, Chain(layers, chain.history) if layers else None, part=part)

    def _import_new(self, chain: Chain, keys: list[str]) -> str:
        build = self._build
        names = [build.layer_name(keys[-1])]
        if not build.plan.spec.no_cache:
            names += self._part_names(keys)[:-1]
        directory = build.fresh_path("layout")
        bare = ImageConfig(
            architecture=build.platform.architecture,
            os=build.platform.os,
            variant=build.platform.variant,
        )
        created = chain.history[-1].created if chain.history else timestamp_text(0)
        write_layout(directory, config_json(bare, chain, created=created), chain.layers, "oci")
        image = build.engine.import_layout(directory, *names)
        shutil.rmtree(directory)
        build.layer_added(keys[-1])
        return image


def _remove_blob(layer: Layer) -> None:
    if layer.blob is not None:
        shutil.rmtree(layer.blob.parent)
