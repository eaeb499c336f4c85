"""The layers of a stage: those that are made here reach the store several together."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.cache.entries import CachedLayers, part_name
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.oci.chain import Chain, HistoryEntry, Layer, read_chain, timestamp_text
from pytest_zlayer.builder.oci.layer import LayerEntry, write_layer
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.builder.store.import_image import import_bare, refuse_too_many
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.waiting import held

# Seconds that a finished RUN waits for the next one to begin, and then for its end, until it is put
# into the store alone: that costs as much for one layer as for several.
_GATHERING = 2.0
# Bytes that are still brought into the store when somebody wants the build to end at once.
_LITTLE = 100_000_000
# Seconds from which on a layer is worth being found for itself.
_LONG = 1.0


@dataclass(frozen=True, slots=True)
class PendingLayer:
    """A layer that is not in the store yet; ``entries``: its files, unless a RUN has made it."""

    step: Step
    layer: Layer
    created: str
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


class PendingLayers:
    """The layers of one stage. Used by one thread at a time, and by its own timer.

    Layers gather here and reach the store together: when somebody needs the image, when the stage
    is finished or fails, and soon after a RUN in any case, so that little is lost with a process
    that is killed, and others who want the same layers do not wait for long.

    Args:
        build: the build under way.
        head: where the stage begins.
        plan: the stage.
        parent: the layers of the stage below, from which it is built, until the store has to have
            them.
        keys: of the topmost layers of ``head``, from below, as far as they are known.
    """

    def __init__(
        self,
        build: Build,
        head: Head,
        plan: StagePlan,
        parent: PendingLayers | None = None,
        *,
        keys: Sequence[str] = (),
    ) -> None:
        self._build = build
        self._plan = plan
        # The keys of the topmost layers, from below; those that others may look for first.
        self._keys = [*keys]
        self._sought: set[str] = set()
        self._head = head
        self._parent = parent
        self._finished = False
        self._made = 0  # how many of them were made here: the topmost ones
        # Locks of the layers that nobody else can find yet, by key.
        self._held: dict[str, contextlib.ExitStack] = {}
        self._timer: threading.Timer | None = None
        self._guard = threading.RLock()  # of the head and the locks, against the timer

    # -- what there is ------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """How far the stage has come, with the layers of the stage below it in the store."""
        with held(self._guard):
            if self._parent is not None:
                start = self._parent.stored_head()
                self._keys = [*self._parent.keys(), *self._keys]
                self._head, self._parent = replace(start, pending=self._head.pending), None
            return self._head

    @property
    def pending(self) -> tuple[PendingLayer, ...]:
        """What is not in the store yet, without the layers of the stage below."""
        return self._head.pending

    @property
    def stands_on_parent(self) -> bool:
        """Whether the layers of the stage below have not been needed from the store so far."""
        return self._parent is not None

    def stored_head(self) -> Head:
        """How far the stage has come, with all its layers in the store."""
        with held(self._guard):
            self.flush()
            return self.head

    def keys(self) -> tuple[str, ...]:
        """The cache keys of the topmost layers, from below, as far as they are known."""
        return tuple(self._keys)

    def chain(self) -> Chain:
        """All layers and their history; those that are not in the store yet with their files."""
        with held(self._guard):
            chain = self._stored_chain()
            for one in self._head.pending:
                chain = chain.add(one.layer, HistoryEntry(one.step.history, one.created))
            return chain

    def _stored_chain(self) -> Chain:
        head = self.head
        chain = head.chain
        if chain is None:
            chain = Chain()
            if head.image is not None:
                record = self._build.engine.images.inspect(head.image)
                chain = read_chain(record.manifest, record.config)
            if head.part is not None and head.part.count is not None:
                chain = chain.lowest(head.part.count)
            self._head = replace(head, chain=chain)
        return chain

    # -- growing ------------------------------------------------------------------------------

    def add(self, step: Step, entries: tuple[LayerEntry, ...], *, composed: bool) -> Layer:
        """Write the layer of ``step`` and put it on top.

        ``composed``: by us, so that its files can be read from ``entries``.
        """
        directory = self._build.fresh_path("layer")
        directory.mkdir()
        blob = write_layer(
            entries,
            directory,
            timestamp=self._build.source_date_epoch,
            check=self._build.check,
        )
        layer = Layer(blob.diff_id, blob.size, blob.path)
        # Made once: wherever the layer goes, its history is the same.
        created = timestamp_text(self._build.now())
        pending = PendingLayer(step, layer, created, entries if composed else None)
        with held(self._guard):
            if step.selection is not None:  # what is below it stays when the context changes
                self._sought.update(self._keys[-1:])
            self._keys.append(step.key)
            self._head = replace(self._head, pending=(*self._head.pending, pending))
            self._made += 1
        return layer

    def took(self, step: Step, seconds: float) -> None:
        """Note how long a step took: who has the same one will look for it if that was long."""
        if seconds >= _LONG:
            self._sought.add(step.key)

    def size_of(self, step: Step) -> int | None:
        """Bytes of the layer of a step, as long as it waits to reach the store."""
        pending = self._head.pending
        return next((one.layer.size for one in pending if one.step is step), None)

    def adopt(self, layers: CachedLayers) -> None:
        """Go on from cached layers."""
        if self._held:
            self.flush()
        for one in self._head.pending:  # they are in that image
            _remove_blob(one.layer)
        part = None if layers.count is None else layers
        self._head, self._parent = Head(layers.image, part=part), None
        self._keys, self._made = [layers.key], 0
        self._adopted(layers)

    def _adopted(self, layers: CachedLayers) -> None:
        self._build.adopted.append(layers)
        self._build.cache.touch(layers.key)

    def go_on_from(self, image: str, key: str) -> None:
        """Go on from an image of the store that has all layers, that of ``key`` on top."""
        with held(self._guard):
            self._made += 1
            self._head, self._parent = Head(image), None
            self._keys.append(key)
            self._release()
            self._offer(image, self._stored_chain())

    def hold(self, key: str, lock: contextlib.ExitStack) -> None:
        """Keep the lock of a layer until others can find it in the store."""
        with held(self._guard):
            pending = any(one.step.key == key for one in self._head.pending)
            if pending and not self._build.plan.spec.no_cache:
                self._held[key] = lock
                return
        lock.close()

    def _release(self) -> None:
        while self._held:
            self._held.popitem()[1].close()

    # -- reaching the store -------------------------------------------------------------------

    def flush(self) -> None:
        """Bring pending layers into the store, as the cached layer of the last of them."""
        with held(self._guard):
            self._stop_timer()
            keys = [one.step.key for one in self._head.pending]
            if keys:
                self._import(self.chain(), keys)
            self._release()
            self._build.cache.withdraw(keys)

    def bring(self) -> None:
        """Have in the store what the stage begins with, also a base image that is not there yet."""
        if (image := self.head.image) is not None:
            self._build.engine.images.bring(image)

    def finish(self) -> None:
        """No more layers come: what is left may reach the store in the background."""
        self._finished = True

    def stop_timer(self) -> None:
        """Leave the pending layers to the next one that asks for them."""
        with held(self._guard):
            self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def flush_soon(self, *, at_once: bool = False, wanted: bool = False) -> None:
        """Bring pending layers into the store when nothing has joined them for a while.

        Args:
            at_once: now, but in the background.
            wanted: also without the cache, because another stage needs them.
        """
        with held(self._guard):
            if not self._head.pending or (self._build.plan.spec.no_cache and not wanted):
                return
            if self._finished:
                keys = [one.step.key for one in self._head.pending]
                self._build.cache.announce(keys, self._flush_in_passing)
                self._stop_timer()
            if self._timer is None:
                seconds = 0.0 if at_once else _GATHERING
                self._timer = threading.Timer(seconds, self._flush_in_passing)
                self._timer.daemon = True
                self._timer.start()

    def put_off(self) -> None:
        """The next command begins: what is pending may soon be more."""
        with held(self._guard):
            if self._timer is not None:
                self._stop_timer()
                self.flush_soon()

    def _flush_in_passing(self) -> None:
        with held(self._guard):
            if self._timer is None:
                return
            if self._finished:
                self.save(at_once=False)
                return
            # What does not succeed now is tried again, and reported, when the stage goes on.
            with contextlib.suppress(EngineError, Interrupted, OSError):
                self.flush()

    def save(self, *, at_once: bool) -> None:
        """Bring what is finished into the store, as far as possible.

        ``at_once``: somebody waits for the end of the build; only if it is quick.
        """
        with held(self._guard):
            self._stop_timer()
            try:
                size = sum(one.layer.size for one in self._head.pending)
                if not at_once or (size <= _LITTLE and not self._build.plan.spec.no_cache):
                    self.flush()
            except (ZlayerError, Interrupted, OSError):
                return  # the failure that brought us here is what counts
            finally:
                self._release()
                self._build.cache.withdraw(one.step.key for one in self._head.pending)

    @contextlib.contextmanager
    def part_names(self) -> Iterator[tuple[str, ...]]:
        """What an image with all layers of the stage is to be called: so others find them there.

        It is the only one of that name: nobody else makes another meanwhile, and there are no names
        for layers that are in the store already.
        """
        with held(self._guard), contextlib.ExitStack() as stack:
            keys = [one.step.key for one in self._head.pending]
            if not keys or self._build.plan.spec.no_cache:
                yield ()
                return
            if keys[-1] not in self._held:
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
        with held(self._guard):
            self._stop_timer()
            if keys := [one.step.key for one in self._head.pending]:
                chain = self.chain()
                self._offer(image, chain)
                self._settle(image, chain, CachedLayers(keys[-1], image, len(chain.layers)))
                self._build.layer_added(keys[-1])
                self._build.cache.withdraw(keys)
                self._release()

    def renew(self) -> None:
        """Let later builds find the layers made here instead of older ones of the same keys."""
        with held(self._guard):
            if not self._made:
                return
            self.flush()
            image, total = self.head.image, len(self._stored_chain().layers)
            if image is not None:
                made = self._keys[-self._made :]
                counts = {key: number for number, key in enumerate(made, total - self._made + 1)}
                self._build.cache.renew(image, counts, self._build.check)

    def make_bare(self, key: str) -> None:
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
            if key not in self._held:
                stack.enter_context(build.cache.locks.hold(key, lambda: None, build.check))
            found = None if build.plan.spec.no_cache else build.cache.find_stored(key)
            if found is not None and found.count is None:
                # Another process has made it meanwhile; times may differ, files do not.
                self._settle(found.image, Chain())
            else:
                image = self._import_new(chain, keys)
                if self._head.pending:
                    self._offer(image, chain)
                self._settle(image, chain)

    def _offer(self, image: str, chain: Chain) -> None:
        """Have new layers, which are in ``image`` of the store now, sent to other machines."""
        build = self._build
        if build.plan.spec.no_cache or not build.remote.sends:
            return
        first = len(chain.layers) - len(self._keys) + 1
        counts = {key: count for count, key in enumerate(self._keys, first)}
        tags = [key for key in self._keys if key in self._sought]
        build.remote.offer(build.batch(image, chain, self._plan, counts, tags))

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
        refuse_too_many(chain, build.plan.label)
        self.bring()
        directory = build.fresh_path("layout")
        image = import_bare(build.engine, directory, chain, names, build.platform)
        build.layer_added(keys[-1])
        return image


def _remove_blob(layer: Layer) -> None:
    if layer.blob is not None:
        shutil.rmtree(layer.blob.parent)
