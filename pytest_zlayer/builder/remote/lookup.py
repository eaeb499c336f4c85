"""Cached layers that are looked up on other machines, then brought into the store."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.cache.entries import CachedLayers
from pytest_zlayer.builder.cache.layer_cache import LayerCache
from pytest_zlayer.builder.oci.chain import Chain, Layer
from pytest_zlayer.builder.remote.blobs import decompress
from pytest_zlayer.builder.remote.entry import Entry, EntryError, of_manifest
from pytest_zlayer.builder.remote.place import Fetched, Place
from pytest_zlayer.builder.remote.trace import Trace
from pytest_zlayer.builder.remote.use import PlaceUse, trouble
from pytest_zlayer.dataclass import dataclass

# Seconds for which a list of keys is believed: asking again costs as much as a short RUN.
FRESH = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """For which build something is looked up.

    Attributes:
        base: the layers of the base image under the stage.
        platform: architecture, operating system and variant.
        bring: has the base image in the store.
        store: puts layers into the store on top of those of the base image, so that each key is
            found there; given how many of all layers are its.
        check: called now and then; raises where the build is to end.
        arrived: called with each entry that was fetched: place, key, entry, seconds.
    """

    base: Chain
    platform: tuple[str, str, str]
    bring: Callable[[], None]
    store: Callable[[Chain, Mapping[str, int]], None]
    check: Callable[[], None]
    arrived: Callable[[str, str, Entry, float], None]


class RemoteLayers:
    """Finds layers in places. Safe for several threads and processes: each entry is fetched once.

    Args:
        places: where to look, in this order.
        cache: the layer cache of the store.
        scratch: a directory for layers on their way, removed at the end.
        max_age: seconds after which an entry counts as stale.
    """

    def __init__(
        self,
        places: Sequence[PlaceUse[Place]],
        *,
        cache: LayerCache,
        scratch: Path,
        max_age: float,
    ) -> None:
        self._places = tuple(places)
        self._cache = cache
        self._scratch = scratch
        self._max_age = max_age
        self._asked: set[str] = set()
        self._guard = threading.Lock()

    def find(self, key: str, asked: Asked) -> CachedLayers | None:
        """The layers of ``key`` in the store, fetched from the first place that has them."""
        for place in self._places:
            if key in (place.keys() or ()):
                found = self._fetch_locked(place, key, asked)
                if found is not None:
                    return found
        return None

    def look_again(self, key: str, asked: Asked) -> CachedLayers | None:
        """The same for what another machine may have finished since the list was read.

        A place whose list has just been read is believed; others are asked for a key in
        this way at most once.
        """
        places = [place for place in self._places if not place.off and place.age > FRESH]
        with self._guard:
            if not places or key in self._asked:
                return None
            self._asked.add(key)
        for place in places:
            found = self._fetch_locked(place, key, asked)
            if found is not None:
                return found
        return None

    def nearest(self, tag: str) -> tuple[str, Trace | None] | None:
        """The place that has an entry under this tag, and what that was made from.

        ``None``: no place is left to look in. Without such an entry the name is empty.
        """
        left = [place for place in self._places if not place.off]
        for place in left:
            if tag in (place.keys() or ()):
                with contextlib.suppress(EntryError):
                    return place.name, place.do(lambda one: one.trace(tag))
        return ("", None) if left else None

    def _fetch_locked(self, place: PlaceUse[Place], key: str, asked: Asked) -> CachedLayers | None:
        with self._cache.locks.hold(f"remote-{key}", lambda: None, asked.check):
            return self._cache.find_stored(key) or self._fetch(place, key, asked)

    def _fetch(self, place: PlaceUse[Place], key: str, asked: Asked) -> CachedLayers | None:
        began = time.monotonic()
        fetched = self._get(place, key, asked)
        if fetched is None:
            return None
        asked.bring()  # whatever is wrong with that is not the entry's fault
        try:
            self._import(fetched, asked)
        except EntryError as error:
            place.spoil(key, fetched.digest, str(error))
            return None
        except EngineError as error:
            if error.interrupted:
                raise
            place.spoil(key, fetched.digest, f"it cannot be imported: {error.message}")
            return None
        except OSError as error:
            place.give_up(trouble(error))
            return None
        asked.arrived(place.name, key, fetched.entry, time.monotonic() - began)
        return self._cache.find_stored(key)

    def _get(self, place: PlaceUse[Place], key: str, asked: Asked) -> Fetched | None:
        """The entry of ``key`` with its blobs, if it can be used for what is asked."""
        try:
            with place.alone(asked.check):  # what entries have in common is fetched once
                fetched = place.do(lambda one: one.fetch(key, self._max_age))
            if fetched is not None:
                with of_manifest(fetched.digest):
                    self._check(fetched.entry, key, asked)
        except EntryError as error:
            place.spoil(key, error.digest or key, str(error))
            return None
        return fetched

    def _check(self, entry: Entry, key: str, asked: Asked) -> None:
        if key not in entry.keys:
            raise EntryError("it does not have the key that it is found by")
        if entry.base != tuple(one.diff_id for one in asked.base.layers):
            raise EntryError("it is built on another base image")
        if entry.platform != asked.platform:
            raise EntryError(f"it is for {'/'.join(filter(None, entry.platform))}")

    def _import(self, fetched: Fetched, asked: Asked) -> None:
        entry, below = fetched.entry, len(asked.base.layers)
        with self._unpacked(fetched, asked.check) as layers:
            chain = asked.base
            for layer, history in zip(layers, entry.history, strict=True):
                chain = chain.add(layer, history)
            asked.store(chain, {key: below + count for key, count in entry.keys.items()})
        for key in entry.keys:
            self._cache.add(key)

    @contextlib.contextmanager
    def _unpacked(self, fetched: Fetched, check: Callable[[], None]) -> Iterator[list[Layer]]:
        directory = self._scratch / f"unpacked-{fetched.entry.top[:16]}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        try:
            layers = []
            for one in fetched.entry.layers:
                tar = directory / one.diff_id[7:]
                if not tar.exists():
                    decompress(one, fetched.blobs / one.digest[7:], tar, check)
                layers.append(Layer(one.diff_id, one.size, tar))
            yield layers
        finally:
            shutil.rmtree(directory, ignore_errors=True)
