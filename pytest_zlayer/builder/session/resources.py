"""The engine and what depends on it: scratch space, cache, store. Opened at first use."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.errors import EngineUnusable
from pytest_zlayer.builder.cache.layer_cache import LayerCache
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.image.facts import ImageStore
from pytest_zlayer.builder.image.keeping import Keeping
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.remote.no_places import NoRemoteCache
from pytest_zlayer.builder.session.directories import (
    cache_directory,
    log_directory,
    remove_old_logs,
)
from pytest_zlayer.builder.session.open_engine import open_engine
from pytest_zlayer.builder.stopping import StopEvent
from pytest_zlayer.builder.store.mounted_images import SharedImages
from pytest_zlayer.events import Event
from pytest_zlayer.lazy import LOADING, lazy
from pytest_zlayer.waiting import Outcome, held

if TYPE_CHECKING:
    from pytest_zlayer.buildah.commands.skopeo import Skopeo
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.buildah.storage.records import ImageRecord
    from pytest_zlayer.builder.session.remote_contexts import RemoteContexts
    from pytest_zlayer.builder.store.transfers import Transfers
    from pytest_zlayer.dockerfile.values.platforms import Platform

_SCRATCH = "zlayer"
_LOG_AGE = 7 * 86400.0  # seconds the logs of failed builds stay
_LOG_SIZE = 100_000_000  # bytes they may have together


class SessionResources:
    """What all builds of one process share. Safe for several threads.

    Args:
        options: the settings.
        session_id: whose containers and images these are.
        tell: receives events.
        stop: set when the session ends.
        engine: one whose opening has begun already.
    """

    def __init__(
        self,
        options: BuildOptions,
        session_id: str,
        *,
        tell: Callable[[Event], None] = lambda _: None,
        stop: threading.Event | None = None,
        engine: Outcome[Engine] | None = None,
    ) -> None:
        self.options = options
        self._begun = engine
        self._tell = tell
        self._stop = stop or StopEvent()
        self.session_id = session_id
        self._guard = threading.RLock()
        self._engine: Engine | None = None
        self._count = 0
        self.keeping = Keeping(wanted=options.keep != "none")

    @property
    def prefix(self) -> str:
        """Names of images that end with this process begin with it, however it ends."""
        return self.engine.temporary_images

    @property
    def opened(self) -> bool:
        """Whether the engine was needed so far."""
        return self._engine is not None

    @property
    def engine(self) -> Engine:
        """The engine. Raises ``EngineMissing``, ``EngineUnusable``."""
        with held(self._guard):
            if self._engine is None:
                begun = self._begun
                self._engine = (
                    begun.result() if begun else open_engine(self.options, self.session_id)
                )
            return self._engine

    @lazy
    def scratch(self) -> Path:
        """Private directory, removed at the end."""
        path: Path = self.engine.tmpdir / _SCRATCH
        _make(path)
        return path

    def new_scratch(self, name: str) -> Path:
        """A directory of this name in ``scratch``."""
        path = self.scratch / name
        _make(path)
        return path

    @lazy
    def transfers(self) -> Transfers:
        """What pulls and pushes go through."""
        with LOADING:
            from pytest_zlayer.builder.store.transfers import Transfers

        options = self.options
        return Transfers(
            options.transfer_retry, options.transfer_timeout, tell=self._tell, stop=self._stop
        )

    @lazy
    def store(self) -> ImageStore:
        """The images in the store."""
        return ImageStore(
            self.engine,
            lambda: self.scratch,
            self.prefix,
            self.transfers,
            self.mounted,
            service_engine=self.options.service_engine,
            keeping=self.keeping,
            stays=self.options.stay,
        )

    @lazy
    def mounted(self) -> SharedImages:
        """The images mounted for reading."""
        return SharedImages(self.engine)

    @lazy
    def cache(self) -> LayerCache:
        """The layer cache of the store."""
        return LayerCache(
            self.engine,
            self.engine.storage.state / "cache",
            self.session_id,
            temporary=self.options.cache == "session",
        )

    @lazy
    def remote(self) -> NoRemoteCache:
        """The cache places on other machines."""
        options = self.options
        if options.no_cache or not (options.cache_from or options.cache_to):
            return NoRemoteCache()
        with LOADING:
            from pytest_zlayer.builder.remote.remote_cache import RemoteCache

        return RemoteCache(
            self.options,
            engine=self.engine,
            cache=self.cache,
            scratch=self.scratch / "remote",
            tell=self._tell,
            stop=self._stop,
        )

    @lazy
    def remote_contexts(self) -> RemoteContexts:
        """The build contexts that lie behind addresses."""
        with LOADING:
            from pytest_zlayer.builder.session.remote_contexts import RemoteContexts

        return RemoteContexts(
            self.scratch,
            process=self.engine.process,
            environment=self.options.environment,
            transfers=self.transfers,
        )

    @property
    def logs(self) -> Path:
        """Where this session keeps what tells of failed builds."""
        return log_directory(self.options.environment) / self.session_id

    def describe(self, name: str, platform: Platform) -> ImageRecord | None:
        """What a registry says of an image; ``None`` where that cannot be asked for."""
        with LOADING:
            from pytest_zlayer.builder.store.described_images import describe_image

        return None if self._skopeo is None else describe_image(self._skopeo, name, platform)

    def may_spare(self, reference: str, needed: bool) -> bool:
        """Whether cached layers may spare the pull of an image.

        ``needed``: only those in this store can: what is fetched is put on top of it.
        """
        return self.cache.stands_on(reference) or (self.remote.reads and not needed)

    @lazy
    def _skopeo(self) -> Skopeo | None:
        with LOADING:
            from pytest_zlayer.buildah.commands.skopeo import SkopeoMissing, find_skopeo

        options = self.options
        with contextlib.suppress(SkopeoMissing):
            return find_skopeo(self.engine.process, options.environment, authfile=options.authfile)
        return None

    def end_builds(self) -> None:
        """End the commands that are running; layers on their way to another machine arrive."""
        if self.opened:
            sending = self.remote.sending if "remote" in vars(self) else None
            self.engine.interrupt(sparing=sending)

    def end_transfers(self, *, hurry: bool) -> None:
        """Wait for layers on their way to another machine, but not for long."""
        if "remote" in vars(self):
            self.remote.close(hurry=hurry)

    @lazy
    def digests(self) -> Digests:
        """Content digests, remembered between sessions."""
        return Digests(cache_directory(self.options.environment) / "digests")

    def next_number(self) -> int:
        """A number this process has not used yet."""
        with self._guard:
            self._count += 1
            return self._count

    def close(self) -> None:
        """Remove the scratch space and close the engine."""
        begun = self._begun
        if self._engine is None and begun is not None and begun.wait() and begun.error is None:
            begun.result().close()
        if self._engine is not None:
            if "cache" in vars(self):
                self.cache.close()
            remove_old_logs(log_directory(self.options.environment), _LOG_AGE, _LOG_SIZE)
            if "scratch" in vars(self):
                shutil.rmtree(self.scratch, ignore_errors=True)
            self._engine.close()


def _make(path: Path) -> None:
    """Make a directory, but none above it: where those are gone, nobody would remove them again."""
    try:
        path.mkdir()
    except FileNotFoundError:
        raise EngineUnusable(
            "the process that runs buildah for this session has ended, and removed its files"
        ) from None
