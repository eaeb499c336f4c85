"""The image a test gets: facts, files, and commands run in it."""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pytest_zlayer.builder.image.image_like import CommandLike, OtherEngine, SaveFormat
from pytest_zlayer.builder.image.path import ImagePath
from pytest_zlayer.builder.image.results import BuildResult, RunResult
from pytest_zlayer.builder.oci.chain import HistoryEntry, Layer
from pytest_zlayer.checks.assertions import ImageAssertions
from pytest_zlayer.choices import EngineChoice, NetworkMode
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.values.platforms import host_platform
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING, lazy

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.container import Container
    from pytest_zlayer.builder.image.facts import ImageFacts, ImageStore
    from pytest_zlayer.checks.difference import ImageDiff
    from pytest_zlayer.checks.packages.record import Package
    from pytest_zlayer.checks.waste import WastedFile
    from pytest_zlayer.services.networks import Network
    from pytest_zlayer.services.running import Service

_NO_VALUES: Mapping[str, str] = MappingProxyType({})
_NO_IMAGES: Mapping[str, Image] = MappingProxyType({})


@dataclass(frozen=True)
class Image(ImageAssertions):
    """An image in the store.

    ``str(image)`` is a reference every tool on the same storage understands. Facts are read from
    the store when they are first asked for.

    A manifest list has its images in ``platforms``, by platform; its facts, files and commands are
    those of the image for this machine, or of the first one.
    """

    id: str
    name: str
    label: str
    tags: tuple[str, ...]
    build: BuildResult = field(repr=False)
    _store: ImageStore = field(repr=False, compare=False)
    _stage: Callable[[str], Image] | None = field(default=None, repr=False, compare=False)
    platforms: Mapping[str, Image] = field(default_factory=lambda: _NO_IMAGES, compare=False)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Image({self.label!r}, {self.short_id})"

    @property
    def is_manifest_list(self) -> bool:
        """Whether this is a list of images for several platforms (see ``platforms``)."""
        return bool(self.platforms)

    @property
    def short_id(self) -> str:
        """The first 12 hex digits of the id."""
        return self.id[:12]

    @lazy
    def _facts(self) -> ImageFacts:
        return self._store.facts(self.native_id)

    @property
    def native_id(self) -> str:
        """The id of the image that facts, files and commands are about."""
        if not self.platforms:
            return self.id
        native = str(host_platform(platform.machine()))
        return self.platforms.get(native, next(iter(self.platforms.values()))).id

    @property
    def digest(self) -> str:
        """Digest of the manifest: ``sha256:…``."""
        return self._facts.digest

    @property
    def size(self) -> int:
        """Bytes of all layers, uncompressed."""
        return self._facts.size

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers from the bottom up, each with ``diff_id`` and ``size`` in bytes."""
        return self._facts.chain.layers

    @property
    def history(self) -> tuple[HistoryEntry, ...]:
        """One entry an instruction, oldest first."""
        return self._facts.chain.history

    @property
    def created(self) -> datetime:
        """When it was made, in UTC."""
        return self._facts.created

    @property
    def config(self) -> ImageConfig:
        """The configuration: environment, command, user and so on."""
        return self._facts.config

    @property
    def raw_config(self) -> Mapping[str, Any]:
        """The configuration as the store holds it: the JSON document, with its spelling."""
        return MappingProxyType(copy.deepcopy(dict(self._facts.raw)))

    @lazy
    def packages(self) -> Mapping[str, Package]:
        """The installed packages by name: Debian's, Alpine's, rpm's, Python distributions.

        Raises:
            PackagesUnreadable: there is a database that only its own tool can read.
        """
        with LOADING:
            from pytest_zlayer.checks.packages.read import read_packages

        return read_packages(self)

    @lazy
    def wasted(self) -> tuple[WastedFile, ...]:
        """The files that later layers hide or overwrite, from the lowest layer up."""
        with LOADING:
            from pytest_zlayer.checks.waste import wasted_files

        return wasted_files(self._store.layer_files(self.native_id))

    @property
    def wasted_size(self) -> int:
        """Bytes that later layers hide or overwrite."""
        return sum(one.size for one in self.wasted)

    def diff(self, other: Image) -> ImageDiff:
        """How ``other`` differs from this image: what it has more, less and otherwise.

        False when the files (but for their times) and the configurations are equal.

        Raises:
            UsageError: ``other`` is no image.
        """
        with LOADING:
            from pytest_zlayer.checks.difference import compare

        if not isinstance(other, Image):
            raise UsageError(f"an image can only be compared with an image, not with {other!r}")
        return compare(self, other)

    def to_dict(self, *, files: bool = False) -> dict[str, Any]:
        """Configuration, history and packages, with ``files`` also all files, as plain data.

        The same Dockerfile and inputs give the same data: no ids, no times.
        """
        with LOADING:
            from pytest_zlayer.checks.snapshot import snapshot

        return snapshot(self, files=files)

    def files(self, pattern: str = "**") -> Iterator[ImagePath]:
        """All that is no directory and whose path matches: ``"etc/*.conf"``, ``"**/*.so"``."""
        return self.path("/").files(pattern)

    def export(self, path: str | Path, source: str = "/") -> Path:
        """Write the files below ``source`` into a directory, or into ``NAME.tar``; the path."""
        return self._store.export(self, Path(path), source)

    def run(
        self,
        cmd: CommandLike = None,
        *,
        env: Mapping[str, str] = _NO_VALUES,
        user: str | None = None,
        workdir: str | None = None,
        network: NetworkMode = "default",
        mounts: Mapping[str, str] = _NO_VALUES,
        privileged: bool = False,
        cap_add: Sequence[str] = (),
        tty: bool = False,
        input: str | bytes | None = None,  # noqa: A002  # as subprocess.run calls it
        timeout: float | None = None,
        check: bool = True,
    ) -> RunResult:
        """Run a command in a fresh container of this image.

        Args:
            cmd: a list is executed as it is, a string by the image's shell; the entrypoint is not
                put in front. ``None`` runs entrypoint and command of the image.
            env: variables on top of the image's own.
            user: instead of the image's user.
            workdir: instead of the image's working directory.
            network: ``default``, ``none`` or ``host``.
            mounts: host path to path in the container; ``:ro`` at the end makes it read-only.
            privileged: whether it has all capabilities that pytest's own process may have; started
                by runc or crun also the devices of the host, and all of ``/proc`` and ``/sys``.
            cap_add: capabilities on top of the usual ones: ``NET_ADMIN`` or ``cap_net_admin``.
            tty: whether it has a terminal. What it writes to either stream is ``stdout`` then,
                with the line ends of terminals (CR LF), and nobody types.
            input: what the command reads on standard input.
            timeout: seconds until it is stopped.
            check: raise ``CommandFailed`` on a status other than 0.

        Raises:
            CommandFailed: see ``check``.
            EngineTimeout: it took longer than ``timeout``.
        """
        with self._store.container(self) as container:
            return container.run(
                cmd,
                env=env,
                user=user,
                workdir=workdir,
                network=network,
                mounts=mounts,
                privileged=privileged,
                cap_add=cap_add,
                tty=tty,
                input=input,
                timeout=timeout,
                check=check,
            )

    def serve(
        self,
        cmd: CommandLike = None,
        *,
        port: int | str | None = None,
        ports: Sequence[int | str] = (),
        env: Mapping[str, str] = _NO_VALUES,
        user: str | None = None,
        workdir: str | None = None,
        mounts: Mapping[str, str] = _NO_VALUES,
        tmpfs: Sequence[str] | Mapping[str, int | str] = (),
        copy_in: Mapping[str, str] = _NO_VALUES,
        network: Network | Literal["host", "none"] | None = None,
        name: str | None = None,
        hostname: str | None = None,
        read_only: bool = False,
        shm_size: int | str | None = None,
        ulimits: Mapping[str, int | str] | Sequence[str] = (),
        memory: int | str | None = None,
        privileged: bool = False,
        cap_add: Sequence[str] = (),
        cap_drop: Sequence[str] = (),
        devices: Sequence[str] = (),
        labels: Mapping[str, str] = _NO_VALUES,
        ready: Callable[[Service], bool] | None = None,
        timeout: float = 60.0,
        engine: EngineChoice = "auto",
    ) -> AbstractContextManager[Service]:
        """Run the image as a service; it is removed at the end of the ``with`` block.

        Args:
            cmd: as for ``run``; ``{port}`` in it stands for the port to listen on.
            port: the main port of the container (``8080``, ``"53/udp"``); by default the first that
                the image exposes. Each port is published on a free port of the loopback address.
            ports: more ports; without ``port`` those that the image exposes are published too.
            env: variables on top of the image's own; ``{port}`` in a value as in ``cmd``.
            user: instead of the image's user.
            workdir: instead of the image's working directory.
            mounts: host path to path in the container; ``:ro`` at the end makes it read-only.
            tmpfs: paths that lie in memory, or a mapping of such paths to their sizes.
            copy_in: host path to path in the container, copied before the start.
            network: a private network (``zlayer_network``), ``host`` or ``none``.
            name: what it is called in messages, and found by on a private network.
            hostname: of the container.
            read_only: whether the files of the image cannot be written to.
            shm_size: bytes of ``/dev/shm``, or a text such as ``64m``.
            ulimits: ``{"nofile": "1024:4096"}``.
            memory: bytes it may use, or a text such as ``512m``.
            privileged: whether it may do what the engine may do.
            cap_add: capabilities on top of the usual ones.
            cap_drop: capabilities it does not get.
            devices: device nodes of the host it may use.
            labels: of the container.
            ready: what is waited for: ``ready.…`` or any function of the service that returns
                whether it is ready. By default the HEALTHCHECK, else the port, else its start.
            timeout: seconds until it must be ready.
            engine: ``podman``, ``buildah`` or ``auto``, the strongest that works.

        Raises:
            ServiceEnded: it ended before it was ready.
            ServiceNotReady: it was not ready in time.
            ServiceError: it could not be started.
            UsageError: arguments that cannot mean anything.
        """
        with LOADING:
            from pytest_zlayer.services.serving import Services

        return self._store.user(Services).serve(
            self, cmd, port=port, ports=ports, env=env, user=user, workdir=workdir, mounts=mounts,
            tmpfs=tmpfs, copy_in=copy_in, network=network, name=name, hostname=hostname,
            read_only=read_only, shm_size=shm_size, ulimits=ulimits, memory=memory,
            privileged=privileged, cap_add=cap_add, cap_drop=cap_drop, devices=devices,
            labels=labels, ready=ready, timeout=timeout, engine=engine,
        )  # fmt: skip

    def container(self) -> AbstractContextManager[Container]:
        """A working container of this image, removed at the end of the ``with`` block.

        What a command leaves running, such as a server, is there for the next command.
        """
        return self._store.container(self, lasting=True)

    def path(self, path: str) -> ImagePath:
        """A file of the image, in pathlib's manner; needs no shell in the image."""
        return ImagePath(self._store.rootfs(self.native_id), path)

    def stage(self, name: str) -> Image:
        """The image of another stage of the same Dockerfile.

        Raises:
            UsageError: there is no such stage, or this image was not built here.
        """
        if self._stage is None:
            raise UsageError(f"{self.label} was not built from a Dockerfile: it has no stages")
        return self._stage(name)

    def tag(self, *names: str) -> None:
        """Give the image more names."""
        self._store.tag(self, names)

    def push(self, *destinations: str, authfile: Path | None = None) -> tuple[str, ...]:
        """Push to registries (without arguments: every tag); the digests they now have."""
        return self._store.push(self, destinations or self.tags, authfile)

    def save(self, path: str | Path, format: SaveFormat = "oci-archive") -> Path:  # noqa: A002  # buildah's word
        """Write the image to ``path``; the path."""
        return self._store.save(self, Path(path), format)

    def load_into(self, engine: OtherEngine) -> str:
        """Hand the image to docker or podman; the name it has there."""
        return self._store.load_into(self, engine)
