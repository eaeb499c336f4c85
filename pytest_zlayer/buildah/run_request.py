"""One command that is to run in a working container, as a value."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from pathlib import Path

from pytest_zlayer.buildah.capabilities import to_add
from pytest_zlayer.buildah.process.command import ByteSink
from pytest_zlayer.buildah.process.output import LineSink
from pytest_zlayer.choices import NetworkMode, Terminal
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError


@dataclass(frozen=True, slots=True)
class Volume:
    """A host path seen by one RUN.

    Attributes:
        source: absolute path on the host.
        target: absolute path in the container.
        readonly: whether the RUN may only read it.
        options: further options of ``buildah run --volume`` (``U``, ``z``, ``O``…).
    """

    source: Path
    target: str
    readonly: bool = False
    options: tuple[str, ...] = ()

    def argument(self) -> str:
        """As ``--volume`` takes it."""
        if ":" in str(self.source) or ":" in self.target:
            raise UsageError(
                f"a path with a colon cannot be mounted: {self.source} at {self.target}"
            )
        options = ["ro" if self.readonly else "rw", *self.options]
        return f"{self.source}:{self.target}:{','.join(options)}"


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """A file system in memory seen by one RUN.

    Attributes:
        target: absolute path in the container.
        size: bytes it may hold, 0 for the default.
        readonly: whether the RUN may only read it.
    """

    target: str
    size: int = 0
    readonly: bool = False

    def argument(self) -> str:
        """As ``--mount`` takes it."""
        words = ["type=tmpfs", f"destination={self.target}"]
        words += [f"tmpfs-size={self.size}"] if self.size else []
        return ",".join([*words, *(["ro"] if self.readonly else [])])


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run in which working container, and where its output goes.

    Attributes:
        container: name of the working container.
        argv: program and arguments, looked up in the PATH of the container.
        env: variables for this command, visible in the process list.
        hidden_env: variables whose values stand on no command line and stay in no container.
        user: user, ``uid``, ``user:group``…; empty: the image's.
        workdir: directory; empty: the image's.
        volumes: host paths it sees.
        tmpfs: file systems in memory it sees.
        network: ``none`` cuts it off, anything else is the network of the host.
        hostname: what a step of a build sees as the name of the machine. As in BuildKit,
            ``/etc/hostname`` is the container's own file then, and ``/etc/hosts`` and
            ``/etc/resolv.conf`` cannot be written to where the OCI runtime is started directly.
            Empty: the container's id, which the engine's ``/etc/hostname`` says too.
        cap_add: capabilities on top of the usual ones, by their full names, or ``ALL``: those that
            this process may have. A command of another user than root may only get them by
            programs that have them.
        privileged: whether it has all capabilities. Where the OCI runtime is started directly
            nothing of ``/proc`` and ``/sys`` is hidden or read-only then, it sees the devices of
            the host, and no system calls are filtered.
        stdin: what it reads: bytes, a file, or an open descriptor; nothing by default.
        terminal: whether it has a terminal, which is its standard input, output and error then.
            A ``joined`` one is that of this process, for a person to type into; what is written
            to a ``recorded`` one is given as standard output, with line ends as terminals have
            them, and what reads from it finds the end of its input.
        timeout: seconds it may take, ``None`` for ever.
        on_line: called with ``stdout`` or ``stderr`` and each line as it comes.
        on_text: called as ``on_line``, but each line has its end; a last line may have none, and
            of a very long line that comes in pieces only the last has it.
        log: gets both streams as they come, raw.
        stdout, stderr: get one of the streams each, raw.
        afterwards: called as ``on_line`` with what processes that it has left running write later,
            where these are not ended with it; with the stream ``zlayer`` for how such a one ends,
            as far as that is seen at the command.
    """

    container: str
    argv: Sequence[str]
    _: KW_ONLY
    env: Mapping[str, str] = field(default_factory=dict)
    hidden_env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    volumes: Sequence[Volume] = ()
    tmpfs: Sequence[Tmpfs] = ()
    network: NetworkMode = "default"
    hostname: str = ""
    cap_add: Sequence[str] = ()
    privileged: bool = False
    stdin: bytes | Path | int | None = None
    terminal: Terminal | None = None
    timeout: float | None = None
    on_line: LineSink | None = None
    on_text: LineSink | None = None
    log: ByteSink | None = None
    stdout: ByteSink | None = None
    stderr: ByteSink | None = None
    afterwards: LineSink | None = None

    def __post_init__(self) -> None:
        """Refuses what no process can be started with.

        Raises:
            UsageError: there is no command, a NUL in it, or input besides a terminal.
        """
        if not self.argv:
            raise UsageError("there is no command to run", hint='such as ["ls", "/"]')
        variables = (*self.env.items(), *self.hidden_env.items())
        if any("\0" in word for word in itertools.chain(self.argv, *variables)):
            raise UsageError("a command and its variables cannot contain a NUL character")
        if self.terminal == "recorded" and self.stdin is not None:
            raise UsageError("a command that has a terminal cannot be given input")

    @property
    def needs_own_container(self) -> bool:
        """Whether it cannot run beside another command, in the container of that one."""
        apart = self.volumes or self.tmpfs or self.cap_add or self.privileged or self.terminal
        return bool(apart)

    def capabilities(self) -> tuple[str, ...]:
        """The capabilities it has on top of the usual ones, by their full names.

        Raises:
            UsageError: this process may not have them either.
        """
        return to_add(["ALL"] if self.privileged else self.cap_add)
