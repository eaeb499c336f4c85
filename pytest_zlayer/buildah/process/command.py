"""A command under the agent: what it is to do, how it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pytest_zlayer.buildah.process.output import LineSink
from pytest_zlayer.choices import Terminal
from pytest_zlayer.dataclass import dataclass

# The stream of lines that no process has written: they are about processes.
OWN = "zlayer"


class ByteSink(Protocol):
    """Where raw output goes: a binary file, or anything with its ``write``."""

    def write(self, data: bytes, /) -> object:
        """Takes the next bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended.

    Attributes:
        argv: what ran.
        exit_code: its status; 128 + n when signal n ended it.
        stdout_tail, stderr_tail: the last lines it wrote (at most 200 each).
        seconds: how long it took.
        killed_by_signal: the signal that ended it, or ``None``.
        timed_out: whether it was ended because its time was over.
        strays: how many processes it left running; they have been killed.
        started: whether what was to run has run; ``False`` only for a detached command that ended
            without starting it.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout_tail: tuple[str, ...]
    stderr_tail: tuple[str, ...]
    seconds: float
    killed_by_signal: int | None = None
    timed_out: bool = False
    strays: int = 0
    started: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached:
    """How to find what a command starts that ends itself at once: an OCI runtime.

    Attributes:
        pid_file: where it writes the number of the process.
        state: the directory that the runtime keeps of it; empty where it keeps none.
        remove: the command that removes it from the runtime's records.
        bundle: a directory that is removed with it.
    """

    pid_file: str
    state: str
    remove: Sequence[str]
    bundle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to run and where its output goes.

    Attributes:
        argv: program and arguments, looked up in the PATH of ``env``.
        env: its whole environment.
        cwd: where it starts, ``None`` for ``/``.
        stdin: what it reads: bytes, a file, an open descriptor, or nothing.
        terminal: ``joined``: it reads from and writes to our own standard input and output, which
            are a terminal; only its standard error comes to us then. ``recorded``: it has one of
            its own, and what is written there is its standard output.
        console: the bundle in which an OCI runtime hands over a ``recorded`` terminal; without it
            the program that makes the terminal passes on what is written there.
        timeout: seconds it may take, ``None`` for ever.
        on_line: called with stream and line as each line comes.
        on_text: called as ``on_line``, but each line has its end, if it has one.
        log: gets both streams as raw bytes, in the order they come.
        stdout, stderr: get one stream each, as raw bytes.
        wrapped: ``argv`` is ``unshare``, and its child is what can be asked to end.
        relayed: its output passes through buildah's chroot isolation, which needs watching.
        hide_own_lines: leave out what buildah itself adds to the end of a failed RUN.
        brief: it works on this machine's storage only: an interruption lets it finish.
        lasting: what it leaves running goes on until the session ends.
        announced: what it runs in a container is waited for, and whatever else runs there ends with
            it.
        afterwards: called with stream and line for what processes that it has left write later, and
            with :data:`OWN` where the supervisor sees how one ends.
        detached: ``argv`` ends at once, and what it has started is the command.
        on_start: called with the number of the process of a detached or announced command as soon
            as that is known.
        meanwhile: called a few times a second while the command runs, by the thread that waits.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path | None = None
    stdin: bytes | Path | int | None = None
    terminal: Terminal | None = None
    console: Path | None = None
    timeout: float | None = None
    on_line: LineSink | None = None
    on_text: LineSink | None = None
    log: ByteSink | None = None
    stdout: ByteSink | None = None
    stderr: ByteSink | None = None
    wrapped: bool = False
    relayed: bool = False
    hide_own_lines: bool = False
    brief: bool = False
    lasting: bool = False
    announced: bool = False
    afterwards: LineSink | None = None
    detached: Detached | None = None
    on_start: Callable[[int], None] | None = None
    meanwhile: Callable[[], None] | None = None
