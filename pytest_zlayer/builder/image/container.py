"""A working container of an image: run commands, copy files in and out, look at them."""

from __future__ import annotations

import os
import shlex
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytest_zlayer import argument_values as given
from pytest_zlayer.buildah.errors import EngineTimeout
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.buildah.process.command import OWN
from pytest_zlayer.buildah.run_request import RunRequest, Volume
from pytest_zlayer.builder.image.copy_out import copy_out
from pytest_zlayer.builder.image.image_like import CommandLike, ImageLike
from pytest_zlayer.builder.image.log import AnyStream, LogLine, as_text, moment
from pytest_zlayer.builder.image.path import ImagePath
from pytest_zlayer.builder.image.results import CommandFailed, RunResult
from pytest_zlayer.checks.assertions import Assertions
from pytest_zlayer.choices import NetworkMode
from pytest_zlayer.dockerfile.values.capabilities import parse_capability
from pytest_zlayer.dockerfile.values.shells import DEFAULT_SHELL
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.buildah.process.command import Completed
    from pytest_zlayer.buildah.process.output import LineSink
    from pytest_zlayer.buildah.running_container import RunningContainer
    from pytest_zlayer.checks.packages.record import Package

_NO_VALUES: Mapping[str, str] = {}
# What docker and podman say of the terminals they make.
_OF_TERMINAL = {"TERM": "xterm"}
# The last two are labels of SELinux: for several containers, or for this one alone.
_MOUNT_OPTIONS = {"ro", "rw", "z", "Z"}
# Lines that are remembered of what commands write.
_LOG_LINES = 20_000


class Container(Assertions):
    """A container in which commands run one after the other on the same files."""

    def __init__(
        self, image: ImageLike, name: str, engine: Engine, *, lasting: bool = False
    ) -> None:
        self.image = image
        self.name = name
        self._engine = engine
        self._rootfs: Rootfs | None = None
        # What keeps processes alive that a command leaves running, for each network.
        self._open: dict[str, RunningContainer | None] | None = {} if lasting else None
        self._lines: deque[LogLine] = deque(maxlen=_LOG_LINES)
        # How often everything was ended: what that has killed is not reported.
        self._closed = 0

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
        """Run a command; arguments and errors as for ``Image.run``."""
        config = self.image.config
        argv = self._argv(cmd)
        output, remember = Output(), self._remember()
        request = RunRequest(
            self.name,
            argv,
            env={**(_OF_TERMINAL if tty else {}), **config.env, **given.as_values("env", env)},
            user=config.user if user is None else given.as_text("user", user),
            workdir=given.path_text("workdir", workdir or config.workdir or "/"),
            volumes=[_volume(source, target) for source, target in mounts.items()],
            network=network,
            cap_add=capabilities(cap_add),
            privileged=privileged,
            terminal="recorded" if tty else None,
            stdin=input.encode() if isinstance(input, str) else input,
            on_line=remember,
            on_text=output.add,
            afterwards=remember,
            timeout=None if timeout is None else given.as_seconds("timeout", timeout),
        )
        done = self._run(request)
        if done.timed_out:
            raise timeout_of(self.image.label, argv, done)
        result = RunResult(done.exit_code, output.stdout, output.stderr, done.seconds, tuple(argv))
        if check and result.exit_code != 0:
            raise CommandFailed(self.image.label, result)
        return result

    def _run(self, request: RunRequest) -> Completed:
        """Run a command, where possible so that its own processes can stay."""
        if self._open is None or request.needs_own_container:
            return self._engine.run(request)
        if request.network not in self._open:
            self._open[request.network] = self._engine.keep_open(
                self.name, request.network, self._remember()
            )
        beside = self._open[request.network]
        return self._engine.run(request) if beside is None else beside.run(request)

    def _remember(self) -> LineSink:
        closed = self._closed

        def remember(stream: str, line: str) -> None:
            if stream != OWN or closed == self._closed:
                self._lines.append(LogLine(moment(), cast("AnyStream", stream), line))

        return remember

    def close(self) -> None:
        """End what commands have left running."""
        self._closed += 1
        running = (self._open or {}).values()
        for one in running:
            if one is not None:
                one.stop()
        self._open = {} if self._open is not None else None

    def log_lines(self) -> tuple[LogLine, ...]:
        """What commands have written, each line with its stream and time; see :meth:`logs`."""
        return tuple(self._lines)

    def logs(self, *, stream: AnyStream | None = None, tail: int | None = None) -> str:
        """What commands have written, with what they have left running: the newest 20,000 lines.

        When a process ends that has outlived its parent, such as a daemon, a line says how:
        ``process 12 (httpd -p 8080) ended: exit code 1`` or ``… ended: killed by SIGSEGV``. Its
        number is that of ``ps`` in the container. The command is as it was when a command of
        :meth:`run` last ended; otherwise it is the name of the program. There is no line for what
        :meth:`close` or the end of the container kills, and none for a process whose parent lives:
        only that gets to know how it has ended.

        Args:
            stream: ``stdout``, ``stderr``, or ``zlayer`` for how processes have ended; by default
                all, in order.
            tail: only the last lines.
        """
        return as_text(self.log_lines(), stream, tail)

    def testinfra(self) -> Any:
        """A host of pytest-testinfra whose commands run inside (extra ``testinfra``)."""
        with LOADING:
            from pytest_zlayer.services.testinfra import host_of

        return host_of(self.label, self.run)

    @property
    def label(self) -> str:
        """How people recognise it in messages."""
        return self.image.label

    @property
    def packages(self) -> Mapping[str, Package]:
        """The packages installed now, by name; see ``Image.packages``."""
        with LOADING:
            from pytest_zlayer.checks.packages.read import read_packages

        return read_packages(self)

    def path(self, path: str) -> ImagePath:
        """A file of the container as it is now."""
        return ImagePath(self._files(), path)

    def copy_in(self, source: str | Path, destination: str) -> None:
        """Copy a file or directory of the host to ``destination`` (a path in the container)."""
        self._engine.copy_in(self.name, Path(source), destination)

    def copy_out(self, source: str, destination: str | Path) -> Path:
        """Copy a file or directory of the container to the host; its path there.

        Links are copied as links. Raises ``UsageError`` for what is no file, directory or link.
        """
        return copy_out(self._files(), source, Path(destination), self.image.label)

    def _files(self) -> Rootfs:
        if self._rootfs is None:
            self._rootfs = self._engine.mount(self.name)
        return self._rootfs

    def _argv(self, cmd: CommandLike) -> Sequence[str]:
        config = self.image.config
        if cmd is None:
            argv = (*(config.entrypoint or ()), *(config.cmd or ()))
            if not argv:
                raise UsageError(
                    f"{self.image.label} has neither ENTRYPOINT nor CMD: pass a command"
                )
            return argv
        if isinstance(cmd, str):
            return (*(config.shell or DEFAULT_SHELL), cmd)
        return given.as_texts("cmd", cmd)


class Output:
    """What a command writes, unchanged."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {"stdout": [], "stderr": []}

    def add(self, stream: str, text: str) -> None:
        """Take what comes next in a stream."""
        self._texts[stream].append(text)

    @property
    def stdout(self) -> str:
        return "".join(self._texts["stdout"])

    @property
    def stderr(self) -> str:
        return "".join(self._texts["stderr"])


def timeout_of(label: str, argv: Sequence[str], done: Completed) -> EngineTimeout:
    """The error for a command that was ended because its time was over."""
    message = f"{shlex.join(argv)} in {label} was stopped after {done.seconds:.1f} s"
    return EngineTimeout(Failure("timeout", message), command=tuple(argv))


def capabilities(names: Sequence[str]) -> list[str]:
    """Full names of capabilities, for a request. Raises ``UsageError``: Linux has no such one."""
    if isinstance(names, str):
        raise UsageError(f"cap_add must be a list of texts, not {names!r}")
    return [_capability(name) for name in names]


def _capability(name: str) -> str:
    try:
        return parse_capability(name)
    except ValueError as error:
        raise UsageError(f"cap_add: {name!r}: {error}") from None


def _volume(source: str, target: str) -> Volume:
    path, _, options = target.partition(":")
    words = [one for one in options.split(",") if one]
    if not _MOUNT_OPTIONS.issuperset(words):
        raise UsageError(
            f"mounts: {target!r} ends with none of {', '.join(sorted(_MOUNT_OPTIONS))}"
        )
    more = tuple(one for one in words if one not in ("ro", "rw"))
    return Volume(Path(os.path.abspath(source)), path, readonly="ro" in words, options=more)
