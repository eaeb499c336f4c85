"""The engine: everything that the rest of the package asks of buildah, as one object."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from pytest_zlayer.buildah.commands import arguments
from pytest_zlayer.buildah.commands.commander import LAYERS, Commander
from pytest_zlayer.buildah.commands.probe import Features, Memory
from pytest_zlayer.buildah.files.mounted import MountedContainers
from pytest_zlayer.buildah.files.rootfs import AgentRootfs, LocalRootfs
from pytest_zlayer.buildah.opening import open as open_engine
from pytest_zlayer.buildah.opening.environment import (
    engine_environment,
    other_engines,
    proxy_environment,
)
from pytest_zlayer.buildah.opening.locate import locate
from pytest_zlayer.buildah.opening.sweep import Sweep, Swept
from pytest_zlayer.buildah.process.command import ByteSink, Completed, Request
from pytest_zlayer.buildah.process.interruption import Interruption
from pytest_zlayer.buildah.process.late_agent import Agent
from pytest_zlayer.buildah.process.output import LineSink
from pytest_zlayer.buildah.process.runner import Runner
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.buildah.storage.records import (
    ContainerSummary,
)
from pytest_zlayer.buildah.stored_images import StoredImages
from pytest_zlayer.choices import NetworkMode
from pytest_zlayer.lazy import LOADING, LazyModule, lazy

# What no unchanged build needs is loaded with the first command.
if TYPE_CHECKING:
    from pytest_zlayer.buildah import runs
    from pytest_zlayer.buildah.commands import containers
    from pytest_zlayer.buildah.commands.commits import Commits
    from pytest_zlayer.buildah.commands.isolation_kinds import Isolation
    from pytest_zlayer.buildah.files.changes import AgentChanges, LocalChanges
    from pytest_zlayer.buildah.registries import Registries
    from pytest_zlayer.buildah.running_container import RunningContainer
else:
    containers = LazyModule("pytest_zlayer.buildah.commands.containers")
    runs = LazyModule("pytest_zlayer.buildah.runs")

# Seconds that closing waits for the rest of what dead sessions left.
_SWEEPING = 10.0


class Engine:
    """buildah on this machine, opened for one process of one session.

    All calls block and may be made from any thread. A ``timeout`` is in seconds, ``None`` means
    no limit; every call may raise ``EngineError`` or, when its time was over, ``EngineTimeout``.

    Attributes:
        binary: path of buildah.
        version: its version.
        features: what this version knows.
        rootless: whether it works inside a user namespace of its own.
        storage: where containers and images are.
        own_storage: whether it was named, and is not the one that the user has anyway.
        session, worker: whose containers and images these are.
        images: the images of the storage.
    """

    def __init__(self, opened: open_engine.Opened) -> None:
        self.binary: Path = opened.commander.binary
        self.version: Version = opened.version
        self.features: Features = opened.features
        self.rootless: bool = opened.rootless
        self._tmpdir: Path = opened.tmpdir
        self.storage: StorageInfo = opened.storage
        self.own_storage: bool = opened.own_storage
        self.session = opened.session
        self.worker = opened.worker
        self._client: Agent = opened.client
        self._sweep: Sweep = opened.sweep
        self._runner: Runner = opened.commander.runner
        self._commander: Commander = opened.commander
        self._environment = opened.environment
        self._memory: Memory = opened.memory
        self._mounted = MountedContainers(
            self._mount, self._client.ask, self.process, rootless=self.rootless,
            has_upper=self.storage.has_upper,
        )  # fmt: skip
        self._wanted_isolation = opened.isolation
        self._numbers = itertools.count(1)
        self._closed = False
        self.images = StoredImages(
            self._commander, self.storage, tmpdir=lambda: self.tmpdir, note=self._note
        )

    @classmethod
    def open(
        cls,
        *,
        buildah: str | None = None,
        environment: Mapping[str, str],
        root: Path | None = None,
        runroot: Path | None = None,
        isolation: str = "auto",
        session: str,
        worker: str = "main",
        authfile: Path | None = None,
    ) -> Engine:
        """Finds buildah, starts its agent, and begins to remove what dead sessions left.

        Raises:
            EngineMissing: buildah is not installed.
            EngineUnusable: it does not answer, is too old, or may not use its storage.
        """
        return cls(
            open_engine.open_engine(
                open_engine.OpenRequest(
                    binary=locate(buildah, environment),
                    environment=environment,
                    root=root,
                    runroot=runroot,
                    isolation=isolation,
                    session=session,
                    worker=worker,
                    authfile=authfile,
                )
            )
        )

    @lazy
    def tmpdir(self) -> Path:
        """A directory private to this process, removed at the end.

        Raises:
            EngineUnusable: the agent, which makes it, cannot be started.
        """
        _ = self._client.pid
        return self._tmpdir

    @lazy
    def _runs(self) -> runs.Runs:
        return runs.Runs(
            self._commander, self.storage, self._memory, self.tmpdir,
            wanted=self._wanted_isolation, rootless=self.rootless, prefix=self.prefix,
            mount=self._mounted.of,
        )  # fmt: skip

    @lazy
    def registries(self) -> Registries:
        """Registries and other places that images are copied from and to."""
        with LOADING:
            from pytest_zlayer.buildah.registries import Registries

        proxies = proxy_environment(self._environment)
        return Registries(
            self._commander, networked=self._commander.with_environment(**proxies),
            features=self.features, storage=self.storage, tmpdir=self.tmpdir,
            temporary_images=self.temporary_images,
        )  # fmt: skip

    @property
    def prefix(self) -> str:
        """How the names of this process's containers begin."""
        return open_engine.container_prefix(self.session, self.worker)

    @property
    def temporary_images(self) -> str:
        """How the names of images begin that are removed when this process is over."""
        return open_engine.image_folder(self.session, self.worker)

    @property
    def isolation(self) -> str:
        """How RUN is isolated: ``oci``, ``rootless`` or ``chroot``; found out at first use.

        Raises:
            EngineUnusable: nothing works here.
        """
        return self.isolated_by.kind

    @property
    def isolated_by(self) -> Isolation:
        """The same with the OCI runtime."""
        return self._runs.isolation

    def describe(self) -> str:
        """One line for headers."""
        parts = [f"buildah {self.version}", f"storage {self.storage.root}", self.storage.driver]
        running: runs.Runs | None = vars(self).get("_runs")
        if running is not None and (isolation := running.known_isolation) is not None:
            way = "started directly" if running.is_direct else "by buildah run"
            parts.append(f"isolation {isolation}, {way}")
        if self.rootless:
            parts.append("rootless")
        return f"{parts[0]} ({', '.join(parts[1:])})"

    # Working containers

    def new_container_name(self) -> str:
        """A name no other container has, which shows the session and the process it is of."""
        return f"{self.prefix}{next(self._numbers)}-{os.urandom(3).hex()}-"

    def from_image(
        self, image: str, *, platform: str | None = None, limits: arguments.Limits | None = None
    ) -> str:
        """Makes a working container of an image in the store, or of ``scratch``; its name.

        Nothing is pulled but what is expected (see :meth:`StoredImages.expect`). buildah would run
        the ONBUILD triggers of the image at this point, so an image that has some is refused.
        """
        self.images.bring(image)
        if image != "scratch":
            self.images.refuse_triggers(image)
        name = self.new_container_name()
        return containers.from_image(self._commander, name, image, platform, limits)

    def run(self, request: RunRequest) -> Completed:
        """Runs a command in a working container, whatever its own exit status.

        What it leaves running is killed before this returns. ``timed_out`` says that it was ended
        because its time was over. A command that cannot be started counts as one that ended with
        127 (not found) or 126, one killed by signal n as one that ended with 128 + n.

        Raises:
            EngineError: buildah itself failed, or :meth:`interrupt` ended the command.
        """
        return self._runs.run(request)

    def keep_open(
        self, container: str, network: NetworkMode, on_end: LineSink
    ) -> RunningContainer | None:
        """Starts a process in a working container that does nothing and does not end.

        Beside it commands can be run whose own processes stay. ``None`` on a machine for which
        there is no such program. ``on_end`` is called with the stream ``zlayer`` and a line for
        each process that ends after its parent; where the container has no process namespace of its
        own, ``afterwards`` of the command that has left it is called instead.
        """
        return self._runs.keep_open(container, network, on_end)

    def start(self, request: RunRequest) -> RunningContainer:
        """Starts a command in a working container, in the background.

        It ends with this process at the latest. Whether it could be started shows when it is waited
        for; output comes in a thread of its own.

        Raises:
            EngineError: buildah itself failed.
        """
        return self._runs.start(request)

    def commit(
        self,
        container: str,
        *,
        name: str | None = None,
        squash: bool = False,
        timestamp: int | None = None,
        format: str = "oci",  # noqa: A002 (buildah's word)
        timeout: float | None = LAYERS,
    ) -> str:
        """Commits a working container as an image; its id.

        ``timestamp`` (seconds since the epoch) makes the result independent of the clock.
        """
        return self._commits.commit(
            container, name=name, squash=squash, timestamp=timestamp, format=format, timeout=timeout
        )

    @lazy
    def _commits(self) -> Commits:
        with LOADING:
            from pytest_zlayer.buildah.commands.commits import Commits

        return Commits(self._commander, self.features, self.tmpdir, self._note)

    def mount(self, container: str) -> LocalRootfs | AgentRootfs:
        """The files of a working container."""
        return self._mounted.mount(container)

    def _mount(self, container: str) -> Path:
        return containers.mount(self._commander, container)

    def rootfs_at(self, root: Path) -> LocalRootfs | AgentRootfs:
        """The files below a directory that belongs to a container."""
        return self._mounted.at(root)

    def _forget(self, container: str) -> None:
        self._mounted.forget(container)
        if "_runs" in vars(self):
            self._runs.forget(container)

    def changes(self, tree: LocalRootfs | AgentRootfs) -> LocalChanges | AgentChanges | None:
        """What the container mounted at ``tree`` has changed on its image.

        ``None`` where the storage keeps that in a way that only buildah understands.
        """
        return self._mounted.changes(tree)

    def unmount(self, container: str) -> None:
        """Undoes :meth:`mount`."""
        self._forget(container)
        containers.unmount(self._commander, container)

    def remove_empty(self, tree: LocalRootfs | AgentRootfs, paths: Sequence[str]) -> None:
        """Removes those of these paths that are empty files or empty directories, in this order."""
        if paths:
            self._client.ask("remove empty", root=str(tree.root), paths=list(paths))

    def copy_in(self, container: str, source: Path, destination: str) -> None:
        """Copies a file of the host, or what is in a directory of it, into a working container."""
        containers.copy_in(self._commander, container, source, destination)

    def rename_container(self, container: str, name: str) -> None:
        """Gives a container another name; with a name of its own it outlives this session."""
        self._forget(container)
        containers.rename(self._commander, container, name)

    def containers(self) -> tuple[ContainerSummary, ...]:
        """All working containers of the storage, also those of others."""
        return containers.listed(self._commander)

    def remove_containers(self, *names: str) -> None:
        """Removes containers; one that is gone already counts as removed."""
        if not names:
            return
        for name in names:
            self._forget(name)
            self._commits.undo(name)
        containers.remove_all(self._commander, names)

    # The process

    def _note(self, line: Mapping[str, Any]) -> None:
        self._client.ask("note", line=dict(line))

    def process(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        on_line: LineSink | None = None,
        stdin: bytes | Path | None = None,
        stdout: ByteSink | None = None,
        stderr: ByteSink | None = None,
        whole: bool = False,
        lasting: bool = False,
        brief: bool = False,
    ) -> Completed:
        """Runs any other program under the same agent, whatever its exit status.

        It gets the same few variables as buildah, the proxies, what other engines are found by,
        and ``env`` on top; with ``whole`` nothing but ``env``. What it leaves running is killed,
        or with ``lasting`` goes on until the session ends; with ``brief`` an interruption lets it
        finish.
        """
        variables = dict(env or {}) if whole else {**self.process_environment(), **(env or {})}
        return self._runner.run(
            Request(
                argv=argv, env=variables, cwd=cwd, timeout=timeout, on_line=on_line, stdin=stdin,
                stdout=stdout, stderr=stderr, lasting=lasting, brief=brief,
            )
        )  # fmt: skip

    def process_environment(self) -> dict[str, str]:
        """The variables that :meth:`process` gives to a program."""
        return {
            **engine_environment(self._environment, self.tmpdir),
            **proxy_environment(self._environment),
            **other_engines(self._environment),
        }

    def remember_podman(self, *, own: bool) -> None:
        """Has podman's containers and networks that carry our prefix removed at the end.

        ``own``: podman has places of its own for this storage.
        """
        self._note({"podman": "own" if own else "users"})

    def interruption(self) -> Interruption:
        """A new group of commands, which can be ended together; see :class:`Interruption`."""
        return self._runner.interruption()

    def interrupt(self, sparing: Interruption | None = None) -> None:
        """Ends all running commands, and those of groups that are still to come.

        One group may be spared. Their callers get an ``EngineError`` of kind interrupted.
        """
        self._runner.interrupt(sparing)

    def swept(self) -> tuple[Swept, ...]:
        """The dead sessions that were found at opening; waits until what they left is removed."""
        return self._sweep.swept()

    def sweep_ended(self, seconds: float) -> bool:
        """Waits for the removal of what dead sessions left; whether it ended in that time."""
        return self._sweep.wait(seconds)

    def close(self) -> None:
        """Ends everything of this process, removes its containers and its directory.

        What dead sessions left is waited for some seconds; the rest is left to the next session.
        """
        if not self._closed:
            self._closed = True
            self._sweep.wait(_SWEEPING)
            self._client.close()
