"""The file system of a stage as it grows: an image of the store, and layers waiting to join it."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_zlayer.build.assemble import (
    Chain,
    HistoryEntry,
    Layer,
    config_json,
    read_chain,
    timestamp_text,
    write_layout,
)
from pytest_zlayer.build.bases import BaseImage
from pytest_zlayer.build.cache import KEY_MARK, key_of, part_name
from pytest_zlayer.build.difference import difference
from pytest_zlayer.build.job import Job
from pytest_zlayer.build.layer import LayeredRootfs, LayerEntry, write_layer
from pytest_zlayer.build.retry import Interrupted
from pytest_zlayer.build.steps import Step
from pytest_zlayer.build.trees import EmptyRootfs
from pytest_zlayer.buildah.changes import AgentChanges, Change, LocalChanges
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.rootfs import AgentRootfs, Entry, LocalRootfs, Rootfs
from pytest_zlayer.dockerfile.config import ImageConfig
from pytest_zlayer.errors import ZlayerError

SCRATCH = "scratch"
# Seconds a finished RUN may wait for more to be put into the store with it: that costs as much for
# one layer as for several.
_GATHERING = 0.5
# Bytes that are still brought into the store when somebody wants the build to end at once.
_PARTING = 100_000_000


@dataclass(frozen=True, slots=True)
class PendingLayer:
    """A layer that is not in the store yet; ``entries`` where it is composed by us."""

    step: Step
    layer: Layer
    entries: tuple[LayerEntry, ...] | None


@dataclass(frozen=True, slots=True)
class Head:
    """How far a stage has come.

    ``image`` is ``None`` for an empty file system; ``chain`` (of that image, without the pending
    layers) is ``None`` until it was asked for.
    """

    image: str | None = None
    chain: Chain | None = None
    pending: tuple[PendingLayer, ...] = ()


@dataclass(slots=True)
class _Live:
    """The working container of a stage: all layers are on it, pending ones too.

    ``changes`` is ``None`` where only buildah can tell what a RUN has changed; ``state`` is the
    last look at them, ``None`` when they have changed since.
    """

    container: str
    files: LocalRootfs | AgentRootfs
    changes: LocalChanges | AgentChanges | None
    state: Mapping[str, Change] | None = None


@dataclass(slots=True)
class _Locks:
    """Locks of the layers that nobody else can find yet, by key."""

    held: dict[str, contextlib.ExitStack] = field(default_factory=dict)

    def release(self) -> None:
        while self.held:
            self.held.popitem()[1].close()


class StageTree:
    """Grows the file system of one stage. Used by one thread at a time.

    Layers gather here and reach the store together: when somebody needs the image, when the stage
    is finished or fails, and soon after a RUN in any case, so that little is lost with a process
    that is killed, and others who want the same layers do not wait for long.
    """

    def __init__(self, job: Job, head: Head, base: BaseImage | None) -> None:
        self._job = job
        self._head = head
        self._base = base
        self._live: _Live | None = None
        self._tells_changes = job.engine.storage.driver == "overlay"  # until a container shows it
        self._finished = False
        self._locks = _Locks()
        self._timer: threading.Timer | None = None
        self._guard = threading.RLock()  # of the head and the locks, against the timer

    @property
    def head(self) -> Head:
        """Where the stage stands."""
        return self._head

    def rootfs(self) -> Rootfs:
        """The stage's files as they are now; once flushed they lie in a directory."""
        live = self._living()
        if live is not None:
            return live.files
        if any(one.entries is None for one in self._head.pending):
            self.flush()  # only the store can put such a layer on what lies below it
        self.make_runnable()
        image = self._head.image
        return self._with_pending(EmptyRootfs() if image is None else self._job.views.rootfs(image))

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
            live = self._live = self._new_live()
        if live.changes is not None and live.state is None:
            live.state = live.changes.scan()
        return live.container

    def expect_run(self) -> None:
        """Have a container ready where that spares an image between what comes now and a RUN."""
        if self._living() is None and self._tells_changes:
            self.open()

    def _new_live(self) -> _Live:
        engine = self._job.engine
        container = engine.from_image(self._head.image or SCRATCH)
        self._job.views.hold(container)
        files = engine.mount(container)
        changes = engine.changes(files)
        self._tells_changes = changes is not None
        return _Live(container, files, changes)

    def _living(self) -> _Live | None:
        """The container, unless it was removed with the others at the end of the build."""
        if self._live is not None and not self._job.views.holds(self._live.container):
            self._live = None
        return self._live

    def remove_empty(self, paths: Sequence[str]) -> None:
        """Take away those of these files and directories of the container that are empty."""
        if self._live is not None:
            self._job.engine.remove_empty(self._live.files, paths)

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
        self._add(step, entries, composed=False)
        self._flush_soon()

    def _commit(self, live: _Live, step: Step) -> None:
        """Let buildah make the layer, and the image with it."""
        image = self._job.engine.commit(
            live.container,
            name=self._job.layer_name(step.key),
            timestamp=self._job.source_date_epoch,
        )
        self._job.layer_added(step.key)
        self._job.views.offer(image, live.container, live.files)
        with self._guard:
            self._head, self._live = Head(image), None
            self._locks.release()

    def guard(self, key: str, lock: contextlib.ExitStack) -> None:
        """Keep the lock of a layer until others can find it in the store."""
        with self._guard:
            pending = any(one.step.key == key for one in self._head.pending)
            if pending and not self._job.plan.spec.no_cache:
                self._locks.held[key] = lock
                return
        lock.close()

    # -- layers -------------------------------------------------------------------------------

    def adopt(self, step: Step, image: str) -> None:
        """Go on from ``image``, the cached layer of ``step``."""
        if self._locks.held:
            self.flush()
        for one in self._head.pending:  # they are in that image
            _remove_blob(one.layer)
        self._head = Head(image=image)
        self._live = None
        self._job.adopted.append((step.key, image))
        self._job.cache.touch(step.key)

    def put(self, step: Step, entries: tuple[LayerEntry, ...]) -> None:
        """Put a layer of ``entries`` on top; it reaches the store with the next ``flush``."""
        live = self._living()
        if live is not None and live.changes is None:
            live = self._live = None  # only buildah could tell such a layer from that of a RUN
        layer = self._add(step, entries, composed=True)
        if live is not None and live.changes is not None and layer.blob is not None:
            live.changes.apply(layer.blob)
            live.state = None

    def _add(self, step: Step, entries: tuple[LayerEntry, ...], *, composed: bool) -> Layer:
        directory = self._job.fresh_path("layer")
        directory.mkdir()
        blob = write_layer(entries, directory, timestamp=self._job.source_date_epoch)
        layer = Layer(blob.diff_id, blob.size, blob.path)
        pending = PendingLayer(step, layer, entries if composed else None)
        with self._guard:
            self._head = replace(self._head, pending=(*self._head.pending, pending))
        return layer

    def chain(self) -> Chain:
        """All layers and their history; those that are not in the store yet with their files."""
        with self._guard:
            chain = self._stored_chain()
            created = timestamp_text(self._job.now())
            for one in self._head.pending:
                entry = HistoryEntry(one.step.text, created, comment=KEY_MARK + one.step.key)
                chain = chain.add(one.layer, entry)
            return chain

    def _stored_chain(self) -> Chain:
        chain = self._head.chain
        if chain is None:
            chain = Chain()
            if self._head.image is not None:
                record = self._job.engine.inspect_image(self._head.image)
                chain = read_chain(record.manifest, record.config)
            self._head = replace(self._head, chain=chain)
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
            self._job.cache.fulfil(keys)

    def finish(self, *, wanted: bool, alone: bool) -> None:
        """The stage has all its layers.

        Args:
            wanted: another stage stands on it, and needs its image.
            alone: the layers reach the store with the final image first.
        """
        self._finished = True
        if wanted:
            self.flush()
        elif not alone:
            self._flush_soon(0.0)

    def stored(self, image: str) -> None:
        """Note that the layers still pending are in the store now, as those of ``image``."""
        with self._guard:
            if self._job.plan.spec.no_cache and self._head.pending:
                self._settle(image, self.chain())
            pending = []
            for one in self._head.pending:
                _remove_blob(one.layer)
                pending.append(replace(one, layer=replace(one.layer, blob=None)))
            self._head = replace(self._head, pending=tuple(pending))
            self._flush_soon(0.0)

    def close(self) -> None:
        """Bring what is finished into the store: the session ends."""
        self.save(at_once=True)

    def save(self, *, at_once: bool) -> None:
        """Keep what is finished of a stage that has failed; ``at_once``: only if that is quick."""
        with self._guard:
            self._stop_timer()
            try:
                size = sum(one.layer.size for one in self._head.pending)
                if not at_once or (size <= _PARTING and not self._job.plan.spec.no_cache):
                    self.flush()
            except (ZlayerError, Interrupted, OSError):
                return  # the failure that brought us here is what counts
            finally:
                self._locks.release()
                self._job.cache.fulfil(one.step.key for one in self._head.pending)

    def _flush_soon(self, seconds: float = _GATHERING) -> None:
        with self._guard:
            if self._job.plan.spec.no_cache or not self._head.pending:
                return
            if self._finished:
                keys = [one.step.key for one in self._head.pending]
                self._job.cache.promise(keys, self._flush_in_passing)
                self._stop_timer()
            if self._timer is None:
                self._timer = threading.Timer(seconds, self._flush_in_passing)
                self._timer.daemon = True
                self._timer.start()

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
        """Go on from a bare twin of a base image that the engine must make no container of."""
        base = self._base
        if base is None or base.runnable or self._head.image != base.id:
            return
        key = key_of("bare", base.id)
        known = self._job.cached(key)
        if known is None:
            self._import(base.chain, [key])
        else:
            self._head = Head(known, base.chain, self._head.pending)
            self._job.adopted.append((key, known))
            self._job.cache.touch(key)

    def _import(self, chain: Chain, keys: list[str]) -> None:
        """Make an image of ``chain`` with a bare configuration, cached under ``keys``: the head."""
        job, key = self._job, keys[-1]
        with contextlib.ExitStack() as stack:
            if key not in self._locks.held:
                stack.enter_context(job.cache.lock(key, lambda: None, job.check))
            image = None if job.plan.spec.no_cache else job.cache.find_stored(key)
            if image is None:
                image = self._import_new(chain, keys)
            else:  # another process has made it meanwhile; times may differ, files do not
                chain = Chain()
        self._settle(image, chain)

    def _settle(self, image: str, chain: Chain) -> None:
        """Go on from ``image``, which has all layers of ``chain``."""
        for one in self._head.pending:
            _remove_blob(one.layer)
        layers = tuple(Layer(one.diff_id, one.size) for one in chain.layers)
        self._head = Head(image, Chain(layers, chain.history) if layers else None)

    def _import_new(self, chain: Chain, keys: list[str]) -> str:
        job = self._job
        names = [job.layer_name(keys[-1])]
        if not job.plan.spec.no_cache:
            names += [part_name(key) for key in keys[:-1]]
        directory = job.fresh_path("layout")
        bare = ImageConfig(
            architecture=job.platform.architecture,
            os=job.platform.os,
            variant=job.platform.variant,
        )
        created = chain.history[-1].created if chain.history else timestamp_text(0)
        write_layout(directory, config_json(bare, chain, created=created), chain.layers, "oci")
        image = job.engine.import_layout(directory, *names)
        shutil.rmtree(directory)
        job.layer_added(keys[-1])
        return image


def _remove_blob(layer: Layer) -> None:
    if layer.blob is not None:
        shutil.rmtree(layer.blob.parent)
