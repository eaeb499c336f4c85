"""The file system of a stage as it grows: an image of the store, and layers waiting to join it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

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
from pytest_zlayer.build.cache import key_of
from pytest_zlayer.build.job import Job
from pytest_zlayer.build.layer import LayeredRootfs, LayerEntry, write_layer
from pytest_zlayer.build.steps import Step
from pytest_zlayer.build.trees import EmptyRootfs
from pytest_zlayer.buildah.rootfs import Rootfs
from pytest_zlayer.dockerfile.config import ImageConfig

SCRATCH = "scratch"
KEY_MARK = "zlayer:"  # comment of a layer we composed: tells later which steps made one


@dataclass(frozen=True, slots=True)
class PendingLayer:
    """A composed layer that is not in the store yet."""

    step: Step
    layer: Layer
    entries: tuple[LayerEntry, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """How far a stage has come.

    ``image`` is ``None`` for an empty file system; ``chain`` (of that image, without the pending
    layers) is ``None`` until it was asked for.
    """

    image: str | None = None
    chain: Chain | None = None
    pending: tuple[PendingLayer, ...] = ()


class StageTree:
    """Grows the file system of one stage. Used by one thread at a time."""

    def __init__(self, job: Job, head: Head, base: BaseImage | None) -> None:
        self._job = job
        self._head = head
        self._base = base
        self._below: Rootfs | None = None  # the files of the head's image, if known without it

    @property
    def head(self) -> Head:
        """Where the stage stands."""
        return self._head

    def rootfs(self) -> Rootfs:
        """The stage's files as they are now; once flushed they lie in a directory."""
        self.make_runnable()
        image = self._head.image
        return self._with_pending(EmptyRootfs() if image is None else self._job.views.rootfs(image))

    def files(self) -> Rootfs:
        """The same for looking things up: after a flush no container has to be made for it."""
        return self.rootfs() if self._below is None else self._with_pending(self._below)

    def _with_pending(self, base: Rootfs) -> Rootfs:
        pending = self._head.pending
        return LayeredRootfs(base, [one.entries for one in pending]) if pending else base

    def new_container(self) -> str:
        """A container to run something in; the head must have no pending layers."""
        return self._job.engine.from_image(self._head.image or SCRATCH)

    def adopt(self, step: Step, image: str) -> None:
        """Go on from ``image``, the cached layer of ``step``."""
        self._head = Head(image=image)
        self._below = None
        self._job.adopted.append((step.key, image))
        self._job.cache.touch(step.key)

    def put(self, step: Step, entries: tuple[LayerEntry, ...]) -> None:
        """Put a layer of ``entries`` on top; it reaches the store with the next ``flush``."""
        directory = self._job.fresh_path("layer")
        directory.mkdir()
        blob = write_layer(entries, directory, timestamp=self._job.source_date_epoch)
        pending = PendingLayer(step, Layer(blob.diff_id, blob.size, blob.path), entries)
        self._head = replace(self._head, pending=(*self._head.pending, pending))

    def flush(self) -> None:
        """Bring pending layers into the store, as the cached layer of the last of them."""
        pending = self._head.pending
        if not pending:
            return
        self._below = self.files()
        created = timestamp_text(self._job.now())
        chain = self.chain()
        for one in pending:
            entry = HistoryEntry(one.step.text, created, comment=KEY_MARK + one.step.key)
            chain = chain.add(one.layer, entry)
        self._import(chain, pending[-1].step.key)

    def make_runnable(self) -> None:
        """Go on from a bare twin of a base image that the engine must make no container of."""
        base = self._base
        if base is None or base.runnable or self._head.image != base.id:
            return
        key = key_of("bare", base.id)
        known = self._job.cached(key)
        if known is None:
            self._import(base.chain, key)
        else:
            self._head = Head(known, base.chain)
            self._job.adopted.append((key, known))
            self._job.cache.touch(key)

    def commit(self, container: str, files: Rootfs | None, step: Step) -> None:
        """Make what ran in ``container`` the layer of ``step``; the container is taken over.

        ``files`` are those of the container if it is mounted.
        """
        image = self._job.engine.commit(
            container,
            name=self._job.layer_name(step.key),
            timestamp=self._job.source_date_epoch,
        )
        self._job.layer_added(step.key)
        self._job.views.offer(image, container, files)
        self._head = Head(image)
        self._below = None

    def chain(self) -> Chain:
        """Layers and history of the head's image as the store has them, pending ones left out."""
        chain = self._head.chain
        if chain is None:
            chain = Chain()
            if self._head.image is not None:
                record = self._job.engine.inspect_image(self._head.image)
                chain = read_chain(record.manifest, record.config)
            self._head = replace(self._head, chain=chain)
        return chain

    def _import(self, chain: Chain, key: str) -> None:
        """Make an image of ``chain`` with a bare configuration, cached under ``key``: the head."""
        job = self._job
        with job.cache.lock(key, lambda: None, job.check):
            image = job.cached(key)
            if image is None:
                image = self._import_new(chain, key)
            else:  # another process has made it meanwhile; times may differ, files do not
                chain = Chain()
        for one in self._head.pending:
            if one.layer.blob is not None:
                shutil.rmtree(one.layer.blob.parent)
        layers = tuple(Layer(one.diff_id, one.size) for one in chain.layers)
        self._head = Head(image, Chain(layers, chain.history) if layers else None)

    def _import_new(self, chain: Chain, key: str) -> str:
        directory = self._job.fresh_path("layout")
        platform = self._job.platform
        bare = ImageConfig(
            architecture=platform.architecture, os=platform.os, variant=platform.variant
        )
        created = chain.history[-1].created if chain.history else timestamp_text(0)
        write_layout(directory, config_json(bare, chain, created=created), chain.layers, "oci")
        image = self._job.engine.import_layout(directory, self._job.layer_name(key))
        shutil.rmtree(directory)
        self._job.layer_added(key)
        return image
