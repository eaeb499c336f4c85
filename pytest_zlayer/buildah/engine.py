"""The engine: everything that the rest of the package asks of buildah, as one object."""

from __future__ import annotations

import itertools
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from pytest_zlayer.buildah.agent.records import LIST_IMAGES
from pytest_zlayer.buildah.commands import arguments
from pytest_zlayer.buildah.commands.commander import LAYERS, Commander
from pytest_zlayer.buildah.commands.probe import Features, Memory
from pytest_zlayer.buildah.errors import EngineError, EngineUnusable, ImageNotKnown
from pytest_zlayer.buildah.failures import Failure
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
from pytest_zlayer.buildah.run_request import RunRequest, Volume
from pytest_zlayer.buildah.storage.index import (
    images_version,
    layer_digests,
    read_image,
    read_images,
)
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.buildah.storage.records import (
    ContainerSummary,
    ImageRecord,
    ImageSummary,
    parse_containers,
    parse_image,
    parse_images,
)
from pytest_zlayer.choices import NetworkMode, PullMode
from pytest_zlayer.lazy import LOADING, LazyModule, lazy

# What no unchanged build needs is loaded with the first command.
if TYPE_CHECKING:
    from pytest_zlayer.buildah import runs
    from pytest_zlayer.buildah.commands import containers, images, probe_container, transfer
    from pytest_zlayer.buildah.commands.commits import Commits
    from pytest_zlayer.buildah.commands.isolation_kinds import Isolation
    from pytest_zlayer.buildah.files.changes import AgentChanges, LocalChanges
    from pytest_zlayer.buildah.messages import lines
    from pytest_zlayer.buildah.running_container import RunningContainer
else:
    containers = LazyModule("pytest_zlayer.buildah.commands.containers")
    images = LazyModule("pytest_zlayer.buildah.commands.images")
    lines = LazyModule("pytest_zlayer.buildah.messages.lines")
    probe_container = LazyModule("pytest_zlayer.buildah.commands.probe_container")
    runs = LazyModule("pytest_zlayer.buildah.runs")
    transfer = LazyModule("pytest_zlayer.buildah.commands.transfer")

__all__ = [
    "Completed",
    "ContainerSummary",
    "Engine",
    "ImageRecord",
    "ImageSummary",
    "RunRequest",
    "StorageInfo",
    "Volume",
]

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
        # Images that are known and not here yet, and what fetches them.
        self._expected: dict[str, Callable[[], None]] = {}
        # Ids only: a name may mean another image next time.
        self._without_triggers: set[str] = set()

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

        Nothing is pulled but what is expected (see :meth:`expect`). buildah would run the ONBUILD
        triggers of the image at this point, so an image that has some is refused.
        """
        self.bring(image)
        if image != "scratch" and image not in self._without_triggers:
            self._refuse_triggers(self.inspect_image(image))
        name = self.new_container_name()
        return containers.from_image(self._commander, name, image, platform, limits)

    def _refuse_triggers(self, found: ImageRecord) -> None:
        if (found.config.get("config") or {}).get("OnBuild"):
            raise EngineError(
                Failure(
                    "permanent",
                    f"image {found.id[:12]} has ONBUILD triggers, which buildah would run",
                )
            )
        self._without_triggers.add(found.id)

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
        program = probe_container.waiting_program(platform.machine())
        if program is None:
            return None
        file = self.tmpdir / "wait"
        if not file.exists():
            unfinished = self.tmpdir / f"wait.{os.urandom(4).hex()}"
            unfinished.write_bytes(program)
            unfinished.chmod(0o755)
            unfinished.replace(file)
        return self._runs.keep_open(container, network, file, on_end)

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
        options = images.commit_options(
            self.features, self.tmpdir, squash=squash, timestamp=timestamp, format=format
        )
        return self._commits.commit(container, options, name=name, timeout=timeout)

    @lazy
    def _commits(self) -> Commits:
        with LOADING:
            from pytest_zlayer.buildah.commands.commits import Commits

        return Commits(self._commander, self._note)

    def mount(self, container: str) -> LocalRootfs | AgentRootfs:
        """The files of a working container."""
        return self._mounted.mount(container)

    def _mount(self, container: str) -> Path:
        printed = self._commander.repeatable(["mount", arguments.container(container)]).strip()
        root = Path(printed.splitlines()[-1] if printed else "")
        if not root.is_absolute():
            raise EngineUnusable(f"buildah mount printed no path: {printed!r}")
        return root

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
        self._commander.repeatable(["umount", arguments.container(container)])

    def remove_empty(self, tree: LocalRootfs | AgentRootfs, paths: Sequence[str]) -> None:
        """Removes those of these paths that are empty files or empty directories, in this order."""
        if paths:
            self._client.ask("remove empty", root=str(tree.root), paths=list(paths))

    def copy_in(self, container: str, source: Path, destination: str) -> None:
        """Copies a file of the host, or what is in a directory of it, into a working container."""
        words = ["copy", "--quiet", "--contextdir", str(source.parent.absolute())]
        words += [arguments.container(container), str(source.absolute()), destination]
        self._commander.output(words)

    def rename_container(self, container: str, name: str) -> None:
        """Gives a container another name; with a name of its own it outlives this session."""
        self._forget(container)
        self._commander.output(
            ["rename", arguments.container(container), arguments.container(name)]
        )

    def containers(self) -> tuple[ContainerSummary, ...]:
        """All working containers of the storage, also those of others."""
        return parse_containers(self._commander.repeatable(["containers", "--all", "--json"]))

    def remove_containers(self, *names: str) -> None:
        """Removes containers; one that is gone already counts as removed."""
        if not names:
            return
        for name in names:
            self._forget(name)
            self._commits.undo(name)
        done = containers.remove(self._commander, names)
        if done.exit_code == 0:
            return
        if not lines.says_not_known(done.stderr_tail):
            raise self._commander.failed(done)
        # At the first unknown one buildah may stop, so each gets its turn.
        for name in names if len(names) > 1 else ():
            self.remove_containers(name)

    # Images

    def images(self) -> tuple[ImageSummary, ...]:
        """All images of the storage, also those of others."""
        known = read_images(self.storage)
        if known is not None:
            return known
        return parse_images(self._commander.repeatable(LIST_IMAGES))

    def images_version(self) -> object | None:
        """Changes whenever the images of the store change; ``None`` when that is not known."""
        return images_version(self.storage)

    def layer_digests(self) -> frozenset[str]:
        """The digests of the layers of the store: it does not unpack these again when it pulls."""
        return layer_digests(self.storage)

    def exists(self, reference: str) -> bool:
        """Whether the store has this image; nothing is pulled."""
        try:
            self.inspect_image(reference)
        except ImageNotKnown:
            return False
        return True

    def recorded_image(self, reference: str) -> ImageRecord | None:
        """An image by its full id or full name, as far as the storage's own records show it."""
        return read_image(self.storage, arguments.image(reference))

    def inspect_image(self, reference: str) -> ImageRecord:
        """All about an image of the store.

        Raises:
            ImageNotKnown: the store has no such image.
        """
        known = self.recorded_image(reference)
        if known is not None:
            return known
        words = ["inspect", "--type", "image", arguments.image(reference)]
        return parse_image(self._commander.repeatable(words))

    def expect(self, image: str, fetch: Callable[[], None]) -> None:
        """Has an image, whose id is known already, fetched when it is needed in the store."""
        self._expected[image] = fetch

    def bring(self, image: str) -> None:
        """Fetches an image that is expected; does nothing for any other.

        Raises:
            Whatever fetching it raises.
        """
        fetch = self._expected.get(image)
        if fetch is not None:
            fetch()
            self._expected.pop(image, None)

    def import_layout(self, directory: Path, *names: str) -> str:
        """Puts the image of an OCI layout directory into the store under these names; its id.

        Blobs of layers that the store has already need not be there.
        """
        with images.Unnamed(self._note) as note:
            found = images.import_layout(self._commander, directory, names, self.tmpdir, note)
        if not found.has_triggers:
            self._without_triggers.add(found.id)
        return found.id

    def _note(self, line: Mapping[str, Any]) -> None:
        self._client.ask("note", line=dict(line))

    def register_image(self, name: str) -> None:
        """Has this image name removed when the process is over, however it ends."""
        self._note({"image": arguments.image(name)})

    def unregister_image(self, name: str) -> None:
        """Takes :meth:`register_image` back: the name stays."""
        self._note({"drop image": name})

    def tag(self, image: str, *names: str) -> None:
        """Gives an image further names."""
        record = read_image(self.storage, image)
        known = {one.removesuffix(":latest") for one in record.names} if record else set()
        wanted = [one for one in names if one.removesuffix(":latest") not in known]
        if wanted:
            images.tag(self._commander, image, wanted)

    def untag(self, image: str, name: str) -> None:
        """Takes a name from an image that has others; the image itself stays."""
        images.untag(self._commander, image, name)

    def remove_images(self, *references: str) -> tuple[str, ...]:
        """Removes images or their names; those still in use are left and returned."""
        return images.remove(self._commander, references)

    # Registries and other places

    def pull(
        self,
        reference: str,
        *,
        policy: PullMode = "missing",
        platform: str | None = None,
        on_line: LineSink | None = None,
        on_size: Callable[[int], None] | None = None,
        timeout: float | None = None,
    ) -> str:
        """Gets an image into the store; its id.

        ``missing`` asks nobody when it is there; ``newer`` asks, and is content with the one in
        the store when nobody answers; ``always`` must have an answer; ``never`` only looks here.
        ``on_size`` is called a few times a second with the bytes of it that have come.
        """
        return transfer.pull(
            self._networked(), self.features, reference, self.tmpdir, policy=policy,
            platform=platform, on_line=on_line, on_size=on_size, timeout=timeout,
        )  # fmt: skip

    def push(
        self,
        image: str,
        destination: str,
        *,
        on_line: LineSink | None = None,
        timeout: float | None = None,
        format: str | None = None,  # noqa: A002 (buildah's word)
        authfile: Path | None = None,
    ) -> str:
        """Copies an image to a registry or an archive (``oci-archive:PATH``…); its digest there.

        What a registry says it has is read back; so is what :meth:`manifest_push` copies.
        """
        digest = transfer.push(
            self._networked(), image, destination, self.tmpdir, on_line=on_line,
            timeout=timeout, format=format, authfile=authfile,
        )  # fmt: skip
        self._check_pushed(destination, digest, timeout, authfile)
        return digest

    def export(self, image: str, directory: Path) -> None:
        """Copies an image into a directory, as ``dir:`` has it, its layers uncompressed."""
        transfer.push(
            self._commander, image, f"dir:{directory}", self.tmpdir, on_line=None, timeout=None,
            format=None, authfile=None, compress=False,
        )  # fmt: skip

    def _check_pushed(
        self, destination: str, digest: str, timeout: float | None, authfile: Path | None
    ) -> None:
        name = f"{self.temporary_images}check-{os.urandom(6).hex()}"
        transfer.check_pushed(
            self._networked(), destination, digest, name, timeout=timeout, authfile=authfile
        )

    def manifest_create(self, name: str, *images: str) -> str:
        """Makes a manifest list in the store; its id."""
        return transfer.manifest_create(self._commander, name, images, self.storage)

    def manifest_add(self, name: str, image: str) -> None:
        """Adds an image to a manifest list; safe when several processes add at once.

        With ``docker://`` in front it is one in a registry.
        """
        transfer.manifest_add(self._networked(), name, image, self.storage)

    def manifest_push(
        self,
        name: str,
        destination: str,
        *,
        on_line: LineSink | None = None,
        timeout: float | None = None,
        authfile: Path | None = None,
    ) -> str:
        """Copies a manifest list and all its images; its digest there."""
        digest = transfer.manifest_push(
            self._networked(), name, destination, self.tmpdir, on_line=on_line,
            timeout=timeout, authfile=authfile,
        )  # fmt: skip
        self._check_pushed(destination, digest, timeout, authfile)
        return digest

    def _networked(self) -> Commander:
        return self._commander.with_environment(**proxy_environment(self._environment))

    # The process

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
