"""The cache places of one session: layers are looked for in some of them, and sent to one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from pytest_zlayer.buildah.commands.skopeo import SkopeoMissing, find_skopeo
from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.process.interruption import Interruption
from pytest_zlayer.builder.cache.entries import CachedLayers, key_of
from pytest_zlayer.builder.cache.layer_cache import LayerCache
from pytest_zlayer.builder.model.cache_place import CachePlace, DirectoryPlace
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.remote.directory import DirectoryCache
from pytest_zlayer.builder.remote.entry import Entry, is_older
from pytest_zlayer.builder.remote.lookup import Asked, RemoteLayers
from pytest_zlayer.builder.remote.no_places import NoRemoteCache
from pytest_zlayer.builder.remote.place import Place
from pytest_zlayer.builder.remote.registry import RegistryCache
from pytest_zlayer.builder.remote.sender import Batch, Sender
from pytest_zlayer.builder.remote.together import Together
from pytest_zlayer.builder.remote.trace import Trace
from pytest_zlayer.builder.remote.use import PlaceUse, trouble
from pytest_zlayer.events import CachePlaceProblem, Event, LayersSent

_NO_SKOPEO = (
    "skopeo is not installed, so layers are neither fetched from registries nor sent to them: "
    "install the package skopeo, or use dir:PATH"
)


class RemoteCache(NoRemoteCache):
    """What a session does with cache places. Safe for several threads.

    Args:
        options: which places.
        engine: the engine.
        cache: the layer cache of the store.
        scratch: a private directory of this process.
        tell: receives events.
        stop: set when the session ends.
    """

    def __init__(
        self,
        options: BuildOptions,
        *,
        engine: Engine,
        cache: LayerCache,
        scratch: Path,
        tell: Callable[[Event], None],
        stop: threading.Event,
    ) -> None:
        self._options = options
        self._engine = engine
        self._scratch = scratch
        self._cache = cache
        self._tell = tell
        self._stop = stop
        self._warned = False
        self._uses: dict[CachePlace, PlaceUse[Place]] = {}
        self._ending = threading.Event()
        places = () if options.no_cache else options.cache_from
        uses = [use for one in places if (use := self._use_for_reading(one)) is not None]
        self._lookup = RemoteLayers(
            uses,
            cache=cache,
            scratch=scratch,
            max_age=options.cache_max_age,
        )
        self.reads = bool(uses)
        self.sending: Interruption = engine.interruption()
        target = None if options.no_cache else options.cache_to
        self._sender = None if target is None else self._make_sender(target)
        self.sends = self._sender is not None

    def find(self, key: str, asked: Asked) -> CachedLayers | None:
        """The layers of a key, brought into the store from the first place that has them."""
        return self._lookup.find(key, asked) if self.reads else None

    def look_again(self, key: str, asked: Asked) -> CachedLayers | None:
        """The same for what another machine may have finished since the keys were listed."""
        return self._lookup.look_again(key, asked) if self.reads else None

    def nearest(self, tag: str) -> tuple[str, Trace | None] | None:
        """The place with the latest entry of a stage, and what that was made from."""
        return self._lookup.nearest(tag) if self.reads else None

    def arrived(self, place: str, entry: Entry) -> None:
        """Note that an entry is in use: one that has lived half its time is named once more."""
        half = self._options.cache_max_age / 2
        sends_there = place == str(self._options.cache_to)
        if self._sender is not None and sends_there and is_older(entry.created, half):
            self._sender.refresh(entry)

    def offer(self, batch: Batch) -> None:
        """Have finished layers sent, in the background."""
        if self._sender is not None:
            self._sender.offer(batch)

    def close(self, *, hurry: bool) -> None:
        """Wait for what is being sent, but not for long.

        ``hurry``: not at all: somebody wants the run to end.
        """
        if self._sender is not None:
            limit = 0.0 if hurry else self._options.cache_push_timeout
            missing = self._sender.finish(limit)
            if missing and not hurry:
                self._warn(str(self._options.cache_to), missing)
        self._ending.set()

    def _make_sender(self, place: CachePlace) -> Sender | None:
        known = self._uses.get(place)
        use = self._use(place, self._scratch / "sending", self._ending, known=known)
        if use is None:
            return None
        return Sender(
            use,
            export=self._engine.registries.export,
            commands=self.sending,
            scratch=self._scratch / "outgoing",
            all_keys=isinstance(place, DirectoryPlace),
            max_age=self._options.cache_max_age if known is None else None,
            on_sent=self._sent,
        )

    def _sent(self, batch: Batch, size: int, seconds: float) -> None:
        self._tell(
            LayersSent(
                build_id=batch.build_id,
                image=batch.image,
                key=batch.top,
                place=str(self._options.cache_to),
                layers=len(batch.chain.layers) - len(batch.base),
                bytes=size,
                seconds=seconds,
            )
        )

    def _use_for_reading(self, place: CachePlace) -> PlaceUse[Place] | None:
        try:
            directory = self._cache.session_directory(f"place-{key_of(str(place))[:16]}")
            together = Together(directory)
        except OSError as error:
            self._warn(str(place), f"it is not used in this run: {trouble(error)}")
            return None
        use = self._use(place, together.blobs, self._stop, together=together)
        if use is not None:
            self._uses.setdefault(place, use)
        return use

    def _use(
        self,
        place: CachePlace,
        scratch: Path,
        stop: threading.Event,
        *,
        known: PlaceUse[Place] | None = None,
        together: Together | None = None,
    ) -> PlaceUse[Place] | None:
        made = self._place(place, scratch)
        if made is None:
            return None
        name = str(place)
        return PlaceUse[Place](
            name,
            made,
            warn=lambda text: self._warn(name, text),
            note=lambda text: self._note(name, text),
            stop=stop,
            known=known,
            together=together,
        )

    def _place(self, place: CachePlace, scratch: Path) -> Place | None:
        if isinstance(place, DirectoryPlace):
            return DirectoryCache(place.path)
        try:
            return registry_cache(place.repository, self._engine, self._options, scratch)
        except SkopeoMissing:
            if not self._warned:
                self._warned = True
                self._warn(str(place), _NO_SKOPEO)
            return None

    def _warn(self, place: str, message: str) -> None:
        self._problem(place, message, warning=True)

    def _note(self, place: str, message: str) -> None:
        self._problem(place, message, warning=False)

    def _problem(self, place: str, message: str, *, warning: bool) -> None:
        self._tell(
            CachePlaceProblem(build_id="", image="", place=place, message=message, warning=warning)
        )


def registry_cache(
    repository: str, engine: Engine, options: BuildOptions, scratch: Path
) -> RegistryCache:
    """The entries in a repository of a registry.

    Raises:
        SkopeoMissing: skopeo, which carries them, is not installed.
    """
    skopeo = find_skopeo(engine.process, options.environment, authfile=options.authfile)
    return RegistryCache(repository, skopeo, scratch, options.transfer_timeout)
