"""Sending finished layers to a place: in the background, and in order."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.process.interruption import Interruption
from pytest_zlayer.builder.oci.chain import Chain
from pytest_zlayer.builder.remote.blobs import compress
from pytest_zlayer.builder.remote.entry import Entry, EntryError, EntryLayer, is_older
from pytest_zlayer.builder.remote.place import Place
from pytest_zlayer.builder.remote.trace import Trace
from pytest_zlayer.builder.remote.use import PlaceUse
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.waiting import join


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Layers that reached the store together, with all that they stand on.

    Attributes:
        build_id, image: the build, and the label of its image.
        stored: id of an image of the store that has them all, from the lowest.
        chain: all layers of the stage, the base image's too, with their history.
        base: diff ids of the base image.
        keys: each cache key, and how many layers above the base are its.
        tags: the keys that somebody may look for first.
        platform: architecture, operating system and variant.
        nearest: the tag of the latest entry of this stage.
        trace: what the layers were made from; asked for when they are sent.
    """

    build_id: str
    image: str
    stored: str
    chain: Chain
    base: tuple[str, ...]
    keys: Mapping[str, int]
    tags: Sequence[str]
    platform: tuple[str, str, str]
    nearest: str
    trace: Callable[[], Trace]

    @property
    def top(self) -> str:
        """The key of all layers."""
        return max(self.keys, key=lambda key: self.keys[key])

    def has_all_of(self, other: Batch) -> bool:
        """Whether an entry of this batch is found wherever one of the other would be."""
        return self.keys.items() >= other.keys.items() and {*self.tags} >= {*other.tags}


@dataclass(slots=True)
class Sent:
    """What was sent so far: entries, bytes, and entries that could not be."""

    entries: int = 0
    bytes: int = 0
    failed: int = 0


class Sender:
    """One thread that sends batches to a place, first come, first served.

    Args:
        use: the place, and what is known about it.
        export: writes an image of the store into a directory, layers uncompressed, as
            ``buildah push dir:`` does.
        commands: what the commands belong to that carry them.
        scratch: where layers are compressed, removed at the end.
        all_keys: name each entry by all its keys, where that costs nothing.
        max_age: seconds after which an entry that is there is replaced; ``None``: who reads the
            place as well has looked at that.
        on_sent: called with each batch that was sent, its bytes and seconds.
    """

    def __init__(
        self,
        use: PlaceUse[Place],
        *,
        export: Callable[[str, Path], None],
        commands: Interruption,
        scratch: Path,
        all_keys: bool,
        max_age: float | None,
        on_sent: Callable[[Batch, int, float], None],
    ) -> None:
        self._use = use
        self._export = export
        self._commands = commands
        self._scratch = scratch
        self._all_keys = all_keys
        self._max_age = max_age
        self._on_sent = on_sent
        self._layers: dict[str, EntryLayer] = {}
        # The tags that were put in this session, and the latest batch of each stage.
        self._put_tags: set[str] = set()
        self._latest: dict[str, Batch] = {}
        self._left = 0
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self.sent = Sent()

    def offer(self, batch: Batch) -> None:
        """Have a batch sent; returns at once."""
        if self._stop.is_set() or self._use.off:
            return
        directory = self._kept(batch)
        self._latest[batch.nearest] = batch

        def send() -> None:
            try:
                self._send(batch, directory)
            finally:
                shutil.rmtree(directory, ignore_errors=True)

        self._put(send)

    def refresh(self, entry: Entry) -> None:
        """Have the tags of an entry put once more: retention policies see that it is in use."""
        self._put(lambda: self._refresh(entry))

    def _put(self, work: Callable[[], None]) -> None:
        with self._guard:
            if self._stop.is_set() or self._use.off:
                return
            self._work.put(work)
            self._left += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._go, name="cache-to", daemon=True)
                self._thread.start()

    def finish(self, seconds: float) -> str | None:
        """Wait for what was offered, at most so long; why some of it was not dealt with."""
        with self._guard:
            thread = self._thread
        if thread is None:
            return None
        self._work.put(None)
        late = not join(thread, seconds)
        self._stop.set()
        if late:
            self._commands.request()
            return f"not all layers could be sent within {seconds:g} s"
        return "not all layers were sent: that was interrupted" if self._left else None

    def _kept(self, batch: Batch) -> Path:
        """A directory with the new layers of a batch: its builder removes its own at once."""
        directory = self._scratch / f"batch-{next(self._numbers)}"
        directory.mkdir(parents=True)
        for layer in batch.chain.layers:
            file = directory / layer.diff_id[7:]
            if layer.blob is not None and not file.exists():
                file.hardlink_to(layer.blob)
        return directory

    def _go(self) -> None:
        # Whatever ends one batch ends all: the place is off, or the run is over.
        with self._commands.covering(), contextlib.suppress(Interrupted, EngineError):
            while (work := self._work.get()) is not None:
                self._check()
                if not self._use.off:
                    work()
                with self._guard:
                    self._left -= 1

    def _refresh(self, entry: Entry) -> None:
        self._name_again(entry.keys)

    def _name_again(self, keys: Iterable[str]) -> None:
        known = self._use.keys() or ()
        there = [key for key in keys if key in known]
        if there:
            self._use.do(lambda place: place.refresh(there[0], there))

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted

    def _send(self, batch: Batch, tars: Path) -> None:
        began = time.monotonic()
        if self._is_there(batch) or self._is_superseded(batch):
            return
        sent = self._use.do(lambda place: self._send_to(place, batch, tars))
        if sent is None:
            self.sent.failed += 1
            return
        self.sent.entries += 1
        self.sent.bytes += sent
        self._use.note_key(batch.top)
        self._on_sent(batch, sent, time.monotonic() - began)

    def _is_there(self, batch: Batch) -> bool:
        """Whether the place has an entry of these layers that others still may use."""
        if batch.top not in (self._use.keys() or ()):
            return False
        if self._max_age is None:
            return True
        try:
            created = self._use.do(lambda place: place.created(batch.top))
        except EntryError:
            return False
        if created is None or is_older(created, self._max_age):
            return False
        if is_older(created, self._max_age / 2):
            self._name_again((batch.top, *batch.tags))
        return True

    def _is_superseded(self, batch: Batch) -> bool:
        """Whether the stage has come further while the batch waited."""
        latest = self._latest[batch.nearest]
        return latest is not batch and latest.has_all_of(batch)

    def _send_to(self, place: Place, batch: Batch, tars: Path) -> int:
        blobs = self._scratch / "blobs" / "sha256"
        entry = self._entry(batch, blobs, tars)
        keys = batch.keys if self._all_keys else (batch.top, *batch.tags)
        # Each tag costs as many requests as there are layers: those that mean a new entry stay.
        tags = [one for one in dict.fromkeys(keys) if one not in self._put_tags]
        sent = place.send(entry, blobs, [*tags, batch.nearest], self._check)
        self._put_tags.update(tags)
        return sent

    def _entry(self, batch: Batch, blobs: Path, tars: Path) -> Entry:
        layers = batch.chain.layers[len(batch.base) :]
        files = {one.diff_id: tars / one.diff_id[7:] for one in layers}
        if any(not files[one].exists() for one in files.keys() - self._layers.keys()):
            files = self._exported(batch)
        for one in files:
            if one not in self._layers and one not in batch.base:
                self._layers[one] = compress(files[one], one, blobs, self._check)
        shutil.rmtree(self._scratch / "exported", ignore_errors=True)
        history = [one for one in batch.chain.history if not one.empty][len(batch.base) :]
        return Entry(
            base=batch.base,
            keys=batch.keys,
            layers=tuple(self._layers[one.diff_id] for one in layers),
            history=tuple(history),
            created=time.time(),
            platform=batch.platform,
            trace=batch.trace().up_to(batch.top),
        )

    def _exported(self, batch: Batch) -> dict[str, Path]:
        """The tars of layers that were in the store before."""
        directory = self._scratch / "exported"
        shutil.rmtree(directory, ignore_errors=True)
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._export(batch.stored, directory)
        manifest = json.loads((directory / "manifest.json").read_bytes())
        files = [directory / one["digest"].partition(":")[2] for one in manifest["layers"]]
        diff_ids = [one.diff_id for one in batch.chain.layers]
        return dict(zip(diff_ids, files, strict=False))
