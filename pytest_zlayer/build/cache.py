"""The layer cache: finished layers kept in the store as images named after their input."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import filelock

from pytest_zlayer.build.assemble import read_chain
from pytest_zlayer.build.leases import Lease
from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError

REPOSITORY = "localhost/zlayer/cache"


def key_of(*parts: Any) -> str:
    """A key (64 hex digits), equal for equal parts: strings, numbers, mappings, dataclasses."""
    text = json.dumps(parts, sort_keys=True, default=_plain, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, asdict(value)]
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"no cache key from {type(value).__name__}")  # pragma: no cover


def cache_name(key: str) -> str:
    """The image name under which the layer of ``key`` is kept."""
    return f"{REPOSITORY}:{key}"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One cached layer: key, image, last use (seconds since the epoch), size in bytes."""

    key: str
    image_id: str
    used: float
    size: int


class LayerCache:
    """Finds, adds, locks and forgets cached layers of one store.

    The store is the index; it is listed again whenever its images have changed.

    Args:
        engine: the engine.
        directory: our own directory beside the store: locks, times of use, cache mounts.
        session: the session that uses it.
    """

    def __init__(self, engine: Engine, directory: Path, session: str) -> None:
        self._engine = engine
        self._directory = directory
        self._known: dict[str, str] = {}
        self._seen: object | None = None
        self._additions = directory / f"added-{session}"
        self._guard = threading.Lock()
        self.mounts_directory = directory / "mounts"
        for part in ("locks", "used", "mounts"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        self._lease = Lease(directory / "leases", session)

    def find(self, key: str) -> str | None:
        """The id of the image cached under ``key``, or ``None``."""
        with self._guard:
            version = self._engine.images_version()
            if version is None or version != self._seen:
                self._seen = version
                self._known = {entry.key: entry.image_id for entry in self.entries()}
            return self._known.get(key)

    def add(self, key: str) -> None:
        """Note that this session has put the layer of ``key`` into the store."""
        with self._guard, self._additions.open("a", encoding="ascii") as additions:
            additions.write(f"{key}\n")
        self.touch(key)

    def drop_if_unusable(self, key: str, image_id: str) -> bool:
        """Remove a cached layer that no container can be made from; whether it was removed."""
        container = None
        try:
            container = self._engine.from_image(image_id)
            self._engine.mount(container)
        except EngineError:
            return self._drop(key)
        finally:
            if container is not None:
                with contextlib.suppress(EngineError):
                    self._engine.remove_containers(container)
        return False

    def _drop(self, key: str) -> bool:
        """Remove a cached layer; ``False`` when that cannot be done: then it was not to blame."""
        try:
            return not self._engine.remove_images(cache_name(key))
        except EngineError:
            return False

    def touch(self, key: str) -> None:
        """Note that ``key`` was used now."""
        stamp = self._directory / "used" / key
        with contextlib.suppress(OSError):  # a full disk must not fail a build that needs nothing
            stamp.touch()

    def touch_known(self, keys: Iterable[str]) -> None:
        """Note that those of ``keys`` that are cached were used now."""
        for key in set(keys):
            if self.find(key) is not None:
                self.touch(key)

    @contextlib.contextmanager
    def lock(
        self, key: str, waiting: Callable[[], None], check: Callable[[], None]
    ) -> Iterator[None]:
        """Hold ``key`` against all other threads and processes.

        ``waiting`` is called once if it is taken, ``check`` again and again meanwhile: it raises to
        give up. The lock is the operating system's, so it ends with its holder, however that ends.
        """
        lock = filelock.FileLock(
            self._directory / "locks" / f"{key}.lock", thread_local=False, is_singleton=False
        )
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            waiting()
            while not lock.is_locked:
                check()
                with contextlib.suppress(filelock.Timeout):
                    lock.acquire(timeout=0.2, poll_interval=0.02)
        try:
            yield
        finally:
            lock.release()

    def entries(self) -> list[CacheEntry]:
        """All cached layers, least recently used first."""
        prefix = f"{REPOSITORY}:"
        found = [
            CacheEntry(name.removeprefix(prefix), image.id, self._used(name), image.size)
            for image in self._engine.images()
            for name in image.names
            if name.startswith(prefix)
        ]
        return sorted(found, key=lambda entry: entry.used)

    def shrink(self, max_age: float, max_size: int) -> list[CacheEntry]:
        """Remove layers by age, then by size; the removed entries.

        Args:
            max_age: seconds without use after which a layer goes.
            max_size: bytes that may stay; the least recently used go first. What was used since
                the oldest other living session began stays in any case: it may count on it.
        """
        entries, now = self.entries(), time.time()
        free = min(self._lease.others_began(), default=now + 1)
        total = self._bytes(entries, max_size)
        removed = []
        for entry in entries:
            if total <= max_size and now - entry.used <= max_age:
                continue
            if entry.used < free and self.remove(entry):
                removed.append(entry)
                if total > max_size:
                    total = self._bytes([one for one in entries if one not in removed], max_size)
        return removed

    def _bytes(self, entries: Sequence[CacheEntry], enough: int) -> int:
        """Bytes of all layers, shared ones once; an upper bound where that is little enough."""
        bound = sum(entry.size for entry in entries)
        if bound <= enough:
            return bound
        layers: dict[str, int] = {}
        for entry in entries:
            with contextlib.suppress(EngineError):  # gone meanwhile
                record = self._engine.inspect_image(entry.image_id)
                chain = read_chain(record.manifest, record.config)
                layers.update((layer.diff_id, layer.size) for layer in chain.layers)
        return sum(layers.values())

    def remove_added(self) -> None:
        """Remove what this session has added, once its last process is over.

        Layers that another living session may have begun to use stay, as part of the cache.
        """
        if self._lease.shared() or not self._additions.exists():
            return
        added = set(self._additions.read_text(encoding="ascii").split())
        if self._lease.alone():
            for entry in self.entries():
                if entry.key in added:
                    self.remove(entry)
        self._additions.unlink(missing_ok=True)

    def close(self) -> None:
        """This process counts on no layer any more."""
        self._lease.close()

    def remove(self, entry: CacheEntry) -> bool:
        """Remove one entry; ``False`` when a container or a build still uses it."""
        lock = filelock.FileLock(self._directory / "locks" / f"{entry.key}.lock")
        with contextlib.suppress(filelock.Timeout), lock.acquire(timeout=0):
            if self._engine.remove_images(cache_name(entry.key)):
                return False
            (self._directory / "used" / entry.key).unlink(missing_ok=True)
            return True
        return False

    def _used(self, name: str) -> float:
        stamp = self._directory / "used" / name.rpartition(":")[2]
        try:
            return stamp.stat().st_mtime
        except FileNotFoundError:
            return time.time()  # unknown age: treat as just used
