"""Sending finished layers to a place: in the background, in order, and never in anybody's way."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_zlayer.builder.oci.chain import Chain
from pytest_zlayer.builder.remote.blobs import compress
from pytest_zlayer.builder.remote.entry import Entry, EntryLayer
from pytest_zlayer.builder.remote.place import Place
from pytest_zlayer.builder.remote.use import PlaceUse
from pytest_zlayer.builder.stopping import Interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Layers that reached the store together, with all that they stand on.

    Attributes:
        image: label of the image they were built for.
        stored: id of an image of the store that has them all, from the lowest.
        chain: all layers of the stage, the base image's too, with their history.
        base: diff ids of the base image.
        keys: each cache key, and how many layers above the base are its.
        tags: the keys that somebody may look for first.
        tars: uncompressed layers that still lie in files of their own, by diff id; the sender
            removes them.
        platform: architecture, operating system and variant.
    """

    image: str
    stored: str
    chain: Chain
    base: tuple[str, ...]
    keys: Mapping[str, int]
    tags: Sequence[str]
    tars: Mapping[str, Path]
    platform: tuple[str, str, str]

    @property
    def top(self) -> str:
        """The key of all layers."""
        return max(self.keys, key=lambda key: self.keys[key])


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
        scratch: where layers are compressed, removed at the end.
        all_keys: name each entry by all its keys, where that costs nothing.
        told: called with each batch that was sent, its bytes and seconds.
    """

    def __init__(
        self,
        use: PlaceUse[Place],
        *,
        export: Callable[[str, Path], None],
        scratch: Path,
        all_keys: bool,
        told: Callable[[Batch, int, float], None],
    ) -> None:
        self._use = use
        self._export = export
        self._scratch = scratch
        self._all_keys = all_keys
        self._told = told
        self._layers: dict[str, EntryLayer] = {}
        self._batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self.sent = Sent()

    def offer(self, batch: Batch) -> None:
        """Have a batch sent; returns at once."""
        with self._guard:
            if self._stop.is_set() or self._use.off:
                _discard(batch)
                return
            self._batches.put(batch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="cache-to", daemon=True)
                self._thread.start()

    def finish(self, seconds: float) -> bool:
        """Wait for what was offered, at most so long; whether all of it was dealt with."""
        with self._guard:
            thread = self._thread
        if thread is None:
            return True
        self._batches.put(None)
        if not self._stop.is_set():
            thread.join(seconds)
        self.stop()
        return not thread.is_alive()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()

    def _work(self) -> None:
        with contextlib.suppress(Interrupted):
            while (batch := self._batches.get()) is not None:
                with contextlib.ExitStack() as stack:
                    stack.callback(_discard, batch)
                    if not self._stop.is_set() and not self._use.off:
                        self._send(batch)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted

    def _send(self, batch: Batch) -> None:
        began = time.monotonic()
        if batch.top in (self._use.keys() or ()):
            return
        sent = self._use.do(lambda place: self._send_to(place, batch))
        if sent is None:
            self.sent.failed += 1
            return
        self.sent.entries += 1
        self.sent.bytes += sent
        self._use.note_key(batch.top)
        self._told(batch, sent, time.monotonic() - began)

    def _send_to(self, place: Place, batch: Batch) -> int:
        blobs = self._scratch / "blobs" / "sha256"
        entry = self._entry(batch, blobs)
        tags = list(batch.keys) if self._all_keys else [*dict.fromkeys((batch.top, *batch.tags))]
        return place.send(entry, blobs, tags, self._check)

    def _entry(self, batch: Batch, blobs: Path) -> Entry:
        layers = batch.chain.layers[len(batch.base) :]
        tars = dict(batch.tars)
        if any(one.diff_id not in tars and one.diff_id not in self._layers for one in layers):
            tars |= self._exported(batch)
        for one in layers:
            if one.diff_id not in self._layers:
                self._layers[one.diff_id] = compress(
                    tars[one.diff_id], one.diff_id, blobs, self._check
                )
        shutil.rmtree(self._scratch / "exported", ignore_errors=True)
        history = [one for one in batch.chain.history if not one.empty][len(batch.base) :]
        return Entry(
            base=batch.base,
            keys=batch.keys,
            layers=tuple(self._layers[one.diff_id] for one in layers),
            history=tuple(history),
            created=time.time(),
            platform=batch.platform,
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


def _discard(batch: Batch) -> None:
    for path in batch.tars.values():
        path.unlink(missing_ok=True)
