"""Commands in working containers: through the OCI runtime where that works, else by buildah."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from pytest_zlayer.buildah.agent.launch.init import PROGRAM
from pytest_zlayer.buildah.commands import containers
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.isolation import choose
from pytest_zlayer.buildah.commands.isolation_kinds import Isolation, runtime_root
from pytest_zlayer.buildah.commands.probe import Memory
from pytest_zlayer.buildah.commands.probe_container import Probe, waiting_program
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.files.rootfs import AgentRootfs, LocalRootfs
from pytest_zlayer.buildah.messages.meaning import failed_start
from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.buildah.process.output import LineSink
from pytest_zlayer.buildah.run_request import RunRequest, Volume
from pytest_zlayer.buildah.running_container import Inside, RunningContainer
from pytest_zlayer.buildah.runtime.capture import stand_in, taken
from pytest_zlayer.buildah.runtime.change import HOST_NAME_FILE
from pytest_zlayer.buildah.runtime.console import joined
from pytest_zlayer.buildah.runtime.container_record import read_record
from pytest_zlayer.buildah.runtime.direct import DirectRuntime, Place, Prepared
from pytest_zlayer.buildah.runtime.endings import Endings
from pytest_zlayer.buildah.runtime.entrance import Entrance
from pytest_zlayer.buildah.runtime.specification import NotUnderstood, Setting
from pytest_zlayer.buildah.runtime.specifications import Known, Specifications
from pytest_zlayer.buildah.runtime.start_buffer import StartBuffer
from pytest_zlayer.buildah.runtime.validity import fingerprint
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.choices import NetworkMode
from pytest_zlayer.waiting import Outcome, held

Mounted = LocalRootfs | AgentRootfs


class Runs:
    """What runs commands for one engine.

    Args:
        commander: gives buildah its commands.
        storage: where the containers are.
        memory: what is known from earlier processes.
        tmpdir: the directory of this process.
        wanted: the isolation that was asked for.
        rootless: whether buildah works in a user namespace.
        prefix: how the names of containers begin.
        mount: gives the files of a container.
    """

    def __init__(
        self,
        commander: Commander,
        storage: StorageInfo,
        memory: Memory,
        tmpdir: Path,
        *,
        wanted: str,
        rootless: bool,
        prefix: str,
        mount: Callable[[str], Mounted],
    ) -> None:
        self._commander = commander
        self._storage = storage
        self._memory = memory
        self._tmpdir = tmpdir
        self._wanted = wanted
        self._rootless = rootless
        self._prefix = prefix
        self._mount = mount
        self._choosing = threading.Lock()
        self._chosen: tuple[Isolation, DirectRuntime | None] | None = None
        self._identifiers: dict[str, str] = {}

    @property
    def known_isolation(self) -> Isolation | None:
        """The isolation, if it was found out already."""
        return self._chosen[0] if self._chosen else None

    @property
    def isolation(self) -> Isolation:
        """How commands are isolated; found out at first use.

        Raises:
            EngineUnusable: nothing works here.
        """
        return self._choice()[0]

    @property
    def is_direct(self) -> bool:
        """Whether commands are started through the runtime itself where possible."""
        return self._choice()[1] is not None

    def _choice(self) -> tuple[Isolation, DirectRuntime | None]:
        with held(self._choosing):
            if self._chosen is None:
                self._chosen = self._choose()
            return self._chosen

    def _choose(self) -> tuple[Isolation, DirectRuntime | None]:
        probe = self._probe()
        try:
            chosen = choose(probe, self._wanted, self._memory, rootless=self._rootless)
            specifications = self._specifications(chosen)
            if specifications is not None:
                # It was taken just now, if the isolation has only been found out.
                with suppress(NotUnderstood):
                    specifications.offer(Setting("host", is_root=True), self._taken())
        finally:
            probe.close()
        return chosen, self._direct(chosen, specifications)

    def _probe(self) -> Probe:
        name = f"{self._prefix}probe-{os.urandom(3).hex()}-"
        return Probe(self._commander, name, self._tmpdir, self._stand_in)

    def _stand_in(self, runtime: str) -> str:
        return str(stand_in(self._tmpdir, runtime) or runtime)

    # -- through the runtime ------------------------------------------------------------------

    def _specifications(self, chosen: Isolation) -> Specifications | None:
        if chosen.runtime is None or self._wanted == "buildah":
            return None
        binaries = [self._commander.binary, Path(os.path.realpath(chosen.runtime))]

        def validity() -> str:
            more = [chosen.kind, str(chosen.runtime)]
            options = self._commander.argv([])
            return fingerprint(binaries, self._commander.env, options, more)

        def take(setting: Setting) -> Known:
            return self._take(chosen, setting)

        return Specifications(self._memory, f"{chosen.kind}:{chosen.runtime}", validity, take)

    def _direct(
        self, chosen: Isolation, specifications: Specifications | None
    ) -> DirectRuntime | None:
        state = runtime_root(self._tmpdir, chosen)
        if specifications is None or chosen.runtime is None or state is None:
            return None
        return DirectRuntime(
            runtime=chosen.runtime,
            state=state,
            tmpdir=self._tmpdir,
            env=dict(self._commander.env),
            specification=specifications.get,
        )

    def _take(self, chosen: Isolation, setting: Setting) -> Known:
        probe = self._probe()
        try:
            network: NetworkMode = "none" if setting.network == "none" else "default"
            user = "0:0" if setting.is_root else "1:1"
            problem = probe.attempt(
                chosen, network=network, user=user, cap_add=setting.capabilities
            )
            if problem is not None:
                raise NotUnderstood(problem)
            return self._taken()
        except EngineError as error:
            if error.interrupted:
                raise
            raise NotUnderstood(error.message) from error
        finally:
            probe.close()

    def _taken(self) -> Known:
        specification = taken(self._tmpdir)
        directory = self._storage.container_file(specification.container[1])
        return specification, read_record(directory).way

    def _prepare(self, direct: DirectRuntime, request: RunRequest) -> Prepared:
        return direct.prepare(request, self._place(request.container))

    def _place(self, container: str) -> Place:
        identifier = self._identifiers.get(container)
        if identifier is None:
            identifier = containers.container_id(self._commander, container)
            self._identifiers[container] = identifier
        files = self._mount(container)
        return Place(self._storage.container_file(identifier), files, files.root)

    def forget(self, container: str) -> None:
        """The container is gone, or has another name."""
        self._identifiers.pop(container, None)

    def result(self, done: Completed, request: RunRequest) -> Completed:
        """What became of a command that buildah ran."""
        return containers.result(self._commander, done, request)

    def run(self, request: RunRequest) -> Completed:
        """Runs a command to its end; see ``Engine.run``."""
        isolation, direct = self._choice()
        if direct is not None:
            done = self._run_directly(direct, request)
            if done is not None:
                return done
        file = self._own_hostname(request)
        if file is not None:  # buildah would mount a file of its own there
            volumes = [*request.volumes, Volume(file, HOST_NAME_FILE)]
            request = replace(request, volumes=volumes)
        return containers.run(
            self._commander, request, isolation, self._storage, self._tmpdir, own_file=file
        )

    def _own_hostname(self, request: RunRequest) -> Path | None:
        """The container's own ``/etc/hostname``, if the command is to see it and safely can."""
        if not request.hostname or any(one.target == HOST_NAME_FILE for one in request.volumes):
            return None
        files = self._mount(request.container)
        file = files.root / HOST_NAME_FILE.lstrip("/")
        try:
            directory = os.path.dirname(HOST_NAME_FILE)
            if files.resolve(directory) != directory or ":" in str(file):
                return None
            if files.lstat(HOST_NAME_FILE).kind != "file":
                return None
        except FileNotFoundError:
            return file
        except OSError:
            return None
        return file

    def _run_directly(self, direct: DirectRuntime, request: RunRequest) -> Completed | None:
        """The result, or ``None`` where buildah has to do it."""
        try:
            prepared = self._prepare(direct, request)
        except (NotUnderstood, OSError):
            return None
        with joined(prepared.bundle) if request.terminal == "joined" else nullcontext():
            done = self._commander.runner.run(prepared.request)
        if done.timed_out:
            return containers.overrun(done, request)
        if done.started:
            return replace(done, argv=tuple(request.argv))
        failure = failed_start(done.stderr_tail)
        if failure is None or failure.exit_code is None:
            return None
        return replace(done, argv=tuple(request.argv), exit_code=failure.exit_code)

    # -- in the background --------------------------------------------------------------------

    def start(self, request: RunRequest, endings: Endings | None = None) -> RunningContainer:
        """Starts a command that runs in the background; see ``Engine.start``."""
        isolation, direct = self._choice()
        if direct is not None:
            with suppress(NotUnderstood, OSError):
                return self._start_directly(direct, request, endings)
        return self._start_by_buildah(isolation, request, endings)

    def _start_directly(
        self, direct: DirectRuntime, request: RunRequest, endings: Endings | None
    ) -> RunningContainer:
        prepared = self._prepare(direct, request)
        begun: Outcome[Inside] = Outcome()

        def on_start(pid: int) -> None:
            if endings is not None:
                endings.begin(pid)
            begun.give(partial(direct.prepare_more, prepared))

        process = self._commander.runner.start(replace(prepared.request, on_start=on_start))
        return RunningContainer(self, request, process, begun, endings, is_direct=True)

    def _start_by_buildah(
        self,
        isolation: Isolation,
        request: RunRequest,
        endings: Endings | None,
        program: str = "",
    ) -> RunningContainer:
        begun: Outcome[Inside] = Outcome()

        # buildah would mount the files where only the command sees them. Mounted here as well they
        # would be two overlays on one upper directory, and nothing could be written any more.
        self._mount(request.container)

        def on_start(pid: int) -> None:
            if endings is not None:
                endings.begin(pid)
            begun.give(Entrance(pid, self._tmpdir, self._commander.env).prepare_more)

        wanted = containers.run_request(
            self._commander, request, isolation, self._storage, self._tmpdir,
            lasting=containers.Lasting(on_start, program),
        )  # fmt: skip
        process = self._commander.runner.start(wanted)
        return RunningContainer(self, request, process, begun, endings)

    def keep_open(
        self, container: str, network: NetworkMode, on_end: LineSink
    ) -> RunningContainer | None:
        """Starts a program that waits in a container; see ``Engine.keep_open``."""
        program = self._waiting_program()
        if program is None:
            return None
        isolation = self.isolation
        # Below /dev of a container nothing stays of the place where it is mounted; with chroot
        # isolation that is the /dev of this machine.
        where = PROGRAM if isolation.kind == "chroot" else "/dev/zlayer-wait"
        endings = Endings(on_end)
        request = RunRequest(
            container, [where], user="0:0", workdir="/", network=network,
            stdin=endings.stdin, stdout=endings,
        )  # fmt: skip
        try:
            if isolation.kind == "chroot":
                return self._start_by_buildah(isolation, request, endings, str(program))
            mounted = [Volume(program, where, readonly=True)]
            return self.start(replace(request, volumes=mounted), endings)
        except BaseException:
            endings.close()
            raise
        finally:
            endings.started()

    def _waiting_program(self) -> Path | None:
        """The file of a program that only waits, if there is one for this machine."""
        program = waiting_program(platform.machine())
        if program is None:
            return None
        file = self._tmpdir / "wait"
        if not file.exists():
            unfinished = self._tmpdir / f"wait.{os.urandom(4).hex()}"
            unfinished.write_bytes(program)
            unfinished.chmod(0o755)
            unfinished.replace(file)
        return file

    def run_beside(
        self, inside: Inside | None, request: RunRequest, has_ended: Callable[[], bool]
    ) -> Completed:
        """Runs another command in a container in which one runs already.

        What cannot be started there runs by itself: it sees the same files, and not the other's
        processes. ``has_ended``: whether the other has ended since ``inside`` was asked for.
        """
        if inside is None:
            return self.run(request)
        try:
            wanted = inside(request, self._place(request.container))
        except (NotUnderstood, OSError):
            return self.run(request)
        buffer = StartBuffer()
        done = self._commander.runner.run(buffer.request(wanted))
        if done.started or done.timed_out:
            buffer.release()
        if done.timed_out:
            return containers.overrun(done, request)
        if not done.started:
            failure = failed_start(done.stderr_tail)
            if failure is None or failure.exit_code is None:
                if has_ended():  # the runtime does not know of its container any more
                    return self.run(request)
                raise self._commander.failed(done)
            done = replace(done, exit_code=failure.exit_code)
            buffer.release()
        return replace(done, argv=tuple(request.argv))
