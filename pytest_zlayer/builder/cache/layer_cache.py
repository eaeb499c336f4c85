"""The layer cache: finished layers kept in the store as images named after their input."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.cache.cache_mounts import mounts_are_left
from pytest_zlayer.builder.cache.entries import (
    CachedLayers,
    CacheEntry,
    cache_name,
    entries_of,
    key_of_image,
    part_name,
)
from pytest_zlayer.builder.cache.leases import Lease
from pytest_zlayer.builder.cache.locks import KeyLocks
from pytest_zlayer.builder.cache.uses import Uses
from pytest_zlayer.builder.oci.chain import read_chain

_ADDED = "added-"
# Seconds for which a cache that nobody adds to is not looked through for what is old.
_TIDY = 3600.0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):  # gone meanwhile, or written half
        return ""


class LayerCache:
    """Finds, adds, locks and forgets cached layers of one store.

    The store is the index; it is listed again whenever its images have changed.

    Args:
        engine: the engine.
        directory: our own directory beside the store: locks, times of use, cache mounts.
        session: the session that uses it.
        temporary: whether what it adds goes with the session.
    """

    def __init__(
        self, engine: Engine, directory: Path, session: str, *, temporary: bool = False
    ) -> None:
        self._engine = engine
        self._directory = directory
        self._known: dict[str, CachedLayers] = {}
        self._announced: dict[str, Callable[[], None]] = {}
        self._seen: object | None = None
        self._session = session
        self._temporary = temporary
        self._has_added = False
        self._uses = Uses(directory / "used")
        self._tidied = directory / "tidied"
        self._guard = threading.Lock()
        self.mounts_directory = directory / "mounts"
        self.locks = KeyLocks(directory / "locks")
        for part in ("locks", "mounts"):
            (directory / part).mkdir(exist_ok=True)
        self._lease = Lease(directory / "leases", session)
        self._shared = directory / "sessions" / session
        self._sweep_sessions()

    def _sweep_sessions(self) -> None:
        """Remove what sessions have left whose last process is over."""
        with contextlib.suppress(FileNotFoundError):
            found = {one.name: one for one in self._shared.parent.iterdir()}
            for name in found.keys() - self._lease.other_sessions() - {self._shared.name}:
                shutil.rmtree(found[name], ignore_errors=True)

    def session_directory(self, name: str) -> Path:
        """A directory that all processes of this session share; it goes with the last of them."""
        directory = self._shared / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def find(self, key: str) -> CachedLayers | None:
        """Where the layers of ``key`` are, or ``None``.

        Where this process is going to put them into the store anyway, that is done now.
        """
        deliver = self._announced.get(key)
        if deliver is not None:
            deliver()
        return self.find_stored(key)

    def find_stored(self, key: str) -> CachedLayers | None:
        """The same for what is in the store already."""
        with self._guard:
            self._look()
            return self._known.get(key)

    def has(self, key: str) -> bool:
        """Whether :meth:`find` would find something."""
        with self._guard:
            self._look()
            return key in self._known or key in self._announced

    def note_bases(self, references: Iterable[str]) -> None:
        """Note that layers made from these images may be cached from now on."""
        for one in references:
            self._uses.note_base(one)

    def stands_on(self, reference: str) -> bool:
        """Whether layers made from this image may be cached."""
        return self._uses.knows_base(reference)

    def _look(self) -> None:
        version = self._engine.images.version()
        if version is None or version != self._seen:
            self._seen = version
            found = [one for entry in self.entries() for one in entry.layers()]
            # An image of these layers alone is better than one that has more.
            found.sort(key=lambda one: one.count is None)
            self._known = {one.key: one for one in found}

    def add(self, key: str) -> None:
        """Note that this session has put the layer of ``key`` into the store."""
        self._has_added = True
        if self._temporary:
            additions = self._directory / f"{_ADDED}{self._session}"
            with self._guard, additions.open("a", encoding="ascii") as file:
                file.write(f"{key}\n")
        self.touch(key)

    def renew(self, image: str, counts: Mapping[str, int], check: Callable[[], None]) -> None:
        """Have the layers of ``image`` found instead of older ones of the same keys.

        Args:
            image: id of an image that holds them.
            counts: how many of its lowest layers each key means; the topmost comes last.
            check: called while another build holds the topmost key; raises to give up.
        """
        with self.locks.hold(list(counts)[-1], lambda: None, check):
            older = [entry for entry in self.entries() if entry.image_id != image]
            names = [name for entry in older for name in entry.names_for(counts)]
            if names:
                self._engine.images.remove(*names)
            self._engine.images.tag(
                image, *(part_name(key, count) for key, count in counts.items())
            )
        for key in counts:
            self.add(key)

    def announce(self, keys: Iterable[str], deliver: Callable[[], None]) -> None:
        """Note that ``deliver`` will bring these layers, which are finished, into the store."""
        with self._guard:
            self._announced.update(dict.fromkeys(keys, deliver))

    def withdraw(self, keys: Iterable[str]) -> None:
        """End announcements: the layers are in the store, or will not get there."""
        with self._guard:
            for key in keys:
                self._announced.pop(key, None)

    def drop_if_unusable(self, layers: CachedLayers) -> bool:
        """Remove a cached image that no container can be made from; whether it was removed."""
        container = None
        try:
            container = self._engine.from_image(layers.image)
            self._engine.mount(container)
        except EngineError:
            return self._drop(layers.key)
        finally:
            if container is not None:
                with contextlib.suppress(EngineError):
                    self._engine.remove_containers(container)
        return False

    def _drop(self, key: str) -> bool:
        """Remove a cached image; ``False`` when that cannot be done: then it was not to blame."""
        names = [entry.names for entry in self.entries() if key in entry.keys] or [
            (cache_name(key),)
        ]
        try:
            return not any(self._engine.images.remove(*one) for one in names)
        except EngineError:
            return False

    def image_name(self, image: str) -> str:
        """The name under which a whole image is kept, which is used now; it may not be there yet.

        Args:
            image: its id.
        """
        key = key_of_image(image)
        name = cache_name(key)
        record = self._engine.images.recorded(image)
        if record is not None and name in record.names:
            self.touch(key)
        else:
            self.add(key)
        return name

    def touch(self, key: str) -> None:
        """Note that ``key`` was used now."""
        self._lease.note_use()
        self._uses.note(key)

    def touch_known(self, keys: Iterable[str]) -> None:
        """Note that those of ``keys`` that are cached were used now."""
        for key in set(keys):
            if self.has(key):
                self.touch(key)

    def entries(self) -> list[CacheEntry]:
        """All cached images, least recently used first."""
        return entries_of(self._engine.images.all(), self._uses.last)

    def layer_sizes(self, entry: CacheEntry) -> Mapping[str, int]:
        """Bytes of each layer of an entry, by diff id; nothing when it has gone meanwhile."""
        try:
            record = self._engine.images.inspect(entry.image_id)
        except EngineError:
            return {}
        chain = read_chain(record.manifest, record.config)
        return {layer.diff_id: layer.size for layer in chain.layers}

    def others_began(self) -> list[float]:
        """When each other living process that uses this cache began (seconds since the epoch)."""
        return self._lease.others_began()

    def remove_added(self) -> None:
        """Remove what was to go with sessions whose last process is over; this one is the last.

        Layers that another living session may have begun to use stay, as part of the cache.
        """
        for additions in self._directory.glob(f"{_ADDED}*"):
            session = additions.name.removeprefix(_ADDED)
            mine = session == self._session
            if self._lease.shared() if mine else self._lease.lives(session):
                continue
            added = set(_read(additions).split())
            if self._lease.alone():
                for entry in self.entries():
                    if added.intersection(entry.keys):
                        self.remove(entry)
            additions.unlink(missing_ok=True)

    def tidy(self, entries: Iterable[CacheEntry], max_age: float) -> None:
        """Remove what is left of killed processes, and of layers that others have removed.

        It is called when this process adds nothing any more.

        Args:
            entries: what is in the store.
            max_age: seconds without use after which an image counts no more as one that layers are
                made from.
        """
        self.locks.tidy()
        known = {key for entry in entries for key in entry.keys}
        self._uses.tidy(known, max_age, alone=self._lease.alone())

    def is_tidy(self, limits: str) -> bool:
        """Whether there is nothing to look for that is too old, too much, or of killed processes.

        What has only grown older since the last look may wait for the next one.

        Args:
            limits: what is too old and too much, in any words.
        """
        try:
            since = time.time() - self._tidied.stat().st_mtime
            same = self._tidied.read_text(encoding="ascii") == limits
        except (OSError, UnicodeDecodeError):
            return False
        left = self.locks.are_left() or mounts_are_left(self.mounts_directory)
        return same and 0 <= since < _TIDY and not (left or self._has_added)

    def note_tidied(self, limits: str) -> None:
        """Note that it was looked through for these limits."""
        with contextlib.suppress(OSError):
            self._tidied.write_text(limits, encoding="ascii")

    def close(self) -> None:
        """This process counts on no layer any more."""
        self._lease.close()
        if not self._lease.shared():
            shutil.rmtree(self._shared, ignore_errors=True)

    def remove(self, entry: CacheEntry) -> bool:
        """Remove one entry; ``False`` when a container or a build still uses it."""
        with self.locks.hold_if_free(entry.key) as free:
            if not free or self._engine.images.remove(*entry.names):
                return False
            for key in entry.keys:
                self._uses.forget(key)
            return True
