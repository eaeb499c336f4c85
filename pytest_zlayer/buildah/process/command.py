"""Running one command under the agent: its output as it comes, its end, its time limit."""

from __future__ import annotations

import errno
import itertools
import json
import os
import selectors
import socket
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import KILLED, Failure, own_words
from pytest_zlayer.buildah.process.console_socket import END_OF_INPUT, listen, receive
from pytest_zlayer.buildah.process.interruption import Interruption, current
from pytest_zlayer.buildah.process.late_agent import Agent
from pytest_zlayer.buildah.process.output import (
    Holdback,
    LineSink,
    LineSplitter,
    Tail,
    read_to_the_end,
    without_end,
)
from pytest_zlayer.choices import Terminal
from pytest_zlayer.dataclass import dataclass

_CHUNK = 64 * 1024
_TAIL_LINES = 200
_TAIL_CHARACTERS = 256 * 1024
# Seconds a brief command goes on for after an interruption; it may wait for a lock.
_PATIENCE = 10.0
# The stream of lines that no process has written: they are about processes.
OWN = "zlayer"
_NEWS = "news"
# Seconds a killed command may take to be gone; only one in an uninterruptible sleep takes longer.
_ENDING = 15.0
# Seconds between two calls of ``Request.meanwhile``.
_BETWEEN = 0.25


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
            whoever makes the terminal passes on what is written there.
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


class Runner:
    """Runs commands under one agent, any number at a time."""

    def __init__(self, client: Agent) -> None:
        self._client = client
        self._running: dict[int, _Running] = {}
        self._numbers = itertools.count(1)
        # What differs from thread to thread: the group its commands belong to.
        self._threads = threading.local()

    def interruption(self) -> Interruption:
        """A new group of commands, which can be ended together. Brief ones never belong to it."""
        return Interruption(self._threads)

    def run(self, request: Request) -> Completed:
        """Runs a command to its end, whatever its status.

        If waiting is interrupted (Ctrl-C), the command is ended first.

        Raises:
            EngineError: of kind ``environment`` when the program cannot be started, of kind
                ``interrupted`` when :meth:`interrupt` ended it.
        """
        running = _Running(request)
        with self._begun(running):
            return self._follow(running)

    def start(self, request: Request) -> Process:
        """Starts a command that runs in the background.

        Raises:
            EngineError: as of :meth:`run`, if that shows at once.
        """
        running = _Running(request)
        stack = ExitStack()
        stack.enter_context(self._begun(running))

        def follow() -> Completed:
            with stack:
                return self._follow(running)

        return Process(running, follow)

    @contextmanager
    def _begun(self, running: _Running) -> Iterator[None]:
        key = id(running)
        group = None if running.request.brief else current(self._threads)
        with running.started(self._client), group.including(running) if group else nullcontext():
            self._running[key] = running
            try:
                yield
            finally:
                del self._running[key]

    def _follow(self, running: _Running) -> Completed:
        try:
            return running.follow()
        except BaseException:
            running.end()
            raise

    def note_traces(self, traces: Mapping[str, Any], key: str | None = None) -> str:
        """Notes what a command may leave in the store, before it does; a key for that.

        With the key of an earlier note it takes the place of that one.
        """
        key = key or str(next(self._numbers))
        self._client.ask("note", line={"traces": key, **traces})
        return key

    def drop_traces(self, key: str) -> None:
        """The command has succeeded: nothing was left."""
        self._client.ask("note", line={"drop traces": key})

    def interrupt(self) -> None:
        """Ends all commands now running. May be called from a signal handler.

        Brief ones get a moment to end by themselves: what is finished is not to be lost.
        """
        running = list(self._running.values())
        _interrupt([one for one in running if not one.request.brief])
        if brief := [one for one in running if one.request.brief]:
            timer = threading.Timer(_PATIENCE, _interrupt, [brief])
            timer.daemon = True
            timer.start()


def _interrupt(commands: Sequence[_Running]) -> None:
    for one in commands:
        one.interrupt()


class Process:
    """A command that runs in the background, until it ends by itself or is ended.

    Attributes:
        request: what was asked for.
    """

    def __init__(self, running: _Running, follow: Callable[[], Completed]) -> None:
        self.request = running.request
        self._running = running
        self._end: Future[Completed] = Future()
        self._thread = threading.Thread(
            target=self._work, args=[follow], name="zlayer-process", daemon=True
        )
        self._thread.start()

    def _work(self, follow: Callable[[], Completed]) -> None:
        try:
            self._end.set_result(follow())
        except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
            self._end.set_exception(error)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._end.done()

    def wait(self, timeout: float | None = None) -> Completed:
        """Waits for its end.

        Raises:
            TimeoutError: it still runs after so many seconds.
            EngineError: as of :meth:`Runner.run`.
        """
        try:
            return self._end.result(timeout)
        except FutureTimeout:
            raise TimeoutError from None

    def signal(self, number: int) -> None:
        """Sends a signal to it, or does nothing when it has ended."""
        self._running.signal(number)

    def stop(self) -> None:
        """Ends it with all that it has started, without waiting for that."""
        self._running.stop()


class _Stream:
    """One output of a command on its way to everybody who wants it."""

    def __init__(self, name: str, request: Request) -> None:
        self.name = name
        self.tail = Tail(_TAIL_LINES, _TAIL_CHARACTERS)
        self._splitter = LineSplitter()
        self._on_line = request.on_line
        self._on_text = request.on_text
        raw = request.stdout if name == "stdout" else request.stderr
        self._raw = [sink for sink in (raw, request.log) if sink is not None]
        self._holdback: Holdback | None = None
        if request.hide_own_lines and (name == "stderr" or request.terminal == "recorded"):
            self._holdback = Holdback(lambda text: own_words(without_end(text)), self._pass_on)

    def feed(self, data: bytes) -> None:
        for sink in self._raw:
            sink.write(data)
        self._take(data, final=False)

    def finish(self, *, hide: bool) -> None:
        self._take(b"", final=True)
        if self._holdback is not None:
            self._holdback.finish(hide=hide)

    def _take(self, data: bytes, *, final: bool) -> None:
        for text in self._splitter.feed(data, final=final):
            self.tail.add(without_end(text))
            if self._holdback is not None:
                self._holdback.add(text)
            else:
                self._pass_on(text)

    def _pass_on(self, text: str) -> None:
        if self._on_line is not None:
            self._on_line(self.name, without_end(text))
        if self._on_text is not None:
            self._on_text(self.name, text)


@dataclass(slots=True, eq=False)
class _Running:
    request: Request
    _lifeline: socket.socket | None = None
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _rest: bytearray = field(default_factory=bytearray)
    _news: dict[str, int] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)
    _called: float = field(default_factory=time.monotonic)
    _interrupted: bool = False
    _timed_out: bool = False
    _ended: bool = False

    @contextmanager
    def started(self, client: Agent) -> Iterator[None]:
        with ExitStack() as stack:
            stack.callback(self._selector.close)
            self._lifeline, theirs = socket.socketpair()
            stack.callback(self._lifeline.close)
            if self.request.terminal == "joined":
                # A program that is killed leaves it as it was for a program, not for people.
                stack.callback(termios.tcsetattr, 0, termios.TCSADRAIN, termios.tcgetattr(0))
            with ExitStack() as handed:
                handed.callback(theirs.close)
                own = self.request.terminal == "joined"
                descriptors = (
                    0 if own else _input(self.request.stdin, handed),
                    1 if own else self._pipe("stdout", stack, handed),
                    self._pipe("stderr", stack, handed),
                    theirs.fileno(),
                )
                if self.request.console is not None:
                    self._await_terminal(self.request.console, stack)
                self._ask_to_start(client, descriptors)
            self._selector.register(self._lifeline, selectors.EVENT_READ)
            yield

    def _await_terminal(self, bundle: Path, stack: ExitStack) -> None:
        listener = stack.enter_context(listen(bundle))
        take = partial(self._take_terminal, listener, stack)
        self._selector.register(listener, selectors.EVENT_READ, take)

    def _take_terminal(self, listener: socket.socket, stack: ExitStack) -> None:
        """What is written there is standard output; only the command itself does."""
        self._selector.unregister(listener)
        output = next(one for one in self._streams.values() if one.name == "stdout")
        for terminal in receive(listener):
            stack.callback(os.close, terminal)
            self._streams[terminal] = output
            self._selector.register(terminal, selectors.EVENT_READ)
            os.write(terminal, END_OF_INPUT)

    def _pipe(self, name: str, kept: ExitStack, handed: ExitStack) -> int:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        kept.callback(os.close, reader)
        handed.callback(os.close, writer)
        self._streams[reader] = _Stream(name, self.request)
        if self.request.detached is None:
            self._selector.register(reader, selectors.EVENT_READ)
        return writer

    def _begin(self, pid: int) -> None:
        """What is written from now on, or has been just now, comes from the command itself."""
        self._listen()
        if self.request.on_start is not None:
            self.request.on_start(pid)

    def _listen(self) -> None:
        """Reads the output, also that which was kept back because nobody knew whose it is."""
        for reader in self._streams:
            if reader not in self._selector.get_map():
                self._selector.register(reader, selectors.EVENT_READ)

    def _ask_to_start(self, client: Agent, descriptors: Sequence[int]) -> None:
        client.ask(
            "spawn",
            descriptors,
            argv=list(self.request.argv),
            env=dict(self.request.env),
            cwd=os.fspath(self.request.cwd) if self.request.cwd else None,
            wrapped=self.request.wrapped,
            relayed=self.request.relayed,
            lasting=self.request.lasting,
            reporting=self.request.lasting and self.request.afterwards is not None,
            announced=self.request.announced,
            detached=asdict(self.request.detached) if self.request.detached else None,
        )

    def follow(self) -> Completed:
        """Passes the output on until the command has ended."""
        deadline = None if self.request.timeout is None else self._since + self.request.timeout
        while not self._ended:
            self._turn(deadline)
            if deadline is not None and time.monotonic() >= deadline and not self._ended:
                if self._timed_out:
                    break
                self._timed_out = True
                self.stop()
                deadline = time.monotonic() + _ENDING
        self._drain()
        if self.request.afterwards is not None:
            self._read_on(self.request.afterwards)
        return self._outcome()

    def _read_on(self, sink: LineSink) -> None:
        """Leaves what is still open to a thread: processes that go on hold the other ends."""
        still = {os.dup(key.fd): self._streams[key.fd].name for key in self._open_streams()}
        if "remaining" in self._news and self._lifeline is not None:
            still[os.dup(self._lifeline.fileno())] = _NEWS

        def take(stream: str, line: str) -> None:
            if stream != _NEWS:
                sink(stream, line)
            elif "ended" in (news := json.loads(line)):
                sink(OWN, news["ended"])

        if still:
            thread = threading.Thread(target=read_to_the_end, args=[still, take], daemon=True)
            thread.start()

    def _open_streams(self) -> list[selectors.SelectorKey]:
        return [key for key in self._selector.get_map().values() if key.fd in self._streams]

    def end(self) -> None:
        """Ends the command and waits until it is gone; its output no longer matters."""
        self.stop()
        until = time.monotonic() + _ENDING
        while not self._ended and time.monotonic() < until:
            for key, _ in self._selector.select(max(0.0, until - time.monotonic())):
                self._read(key, quiet=True)

    def interrupt(self) -> None:
        self._interrupted = True
        self.stop()

    def signal(self, number: int) -> None:
        with suppress(OSError):
            if self._lifeline is not None:
                self._lifeline.sendall(json.dumps({"signal": number}).encode("ascii") + b"\n")

    def stop(self) -> None:
        try:
            if self._lifeline is not None:
                self._lifeline.shutdown(socket.SHUT_WR)
        except OSError:
            # Closed already: the command has ended.
            return

    def _turn(self, deadline: float | None) -> None:
        call = None if self.request.meanwhile is None else self._called + _BETWEEN
        moments = [moment for moment in (deadline, call) if moment is not None]
        pause = max(0.0, min(moments) - time.monotonic()) if moments else None
        for key, _ in self._selector.select(pause):
            self._read(key)
        if self.request.meanwhile is not None and time.monotonic() - self._called >= _BETWEEN:
            self._called = time.monotonic()
            self.request.meanwhile()

    def _read(self, key: selectors.SelectorKey, *, quiet: bool = False) -> None:
        if key.data is not None:
            key.data()
            return
        data = _read_chunk(key.fd)
        stream = self._streams.get(key.fd)
        if stream is None:
            self._hear(data)
        elif data and not quiet:
            stream.feed(data)
        if not data:
            self._selector.unregister(key.fileobj)

    def _hear(self, data: bytes) -> None:
        """Takes what the supervisor tells: lines of JSON."""
        *complete, rest = (bytes(self._rest) + data).split(b"\n")
        self._rest = bytearray(rest)
        for line in complete:
            news = json.loads(line)
            if "ended" in news:
                self._tell_ending(news["ended"])
                continue
            self._news.update(news)
            if "started" in news:
                self._begin(news["started"])
        # What is left running may keep it open; what comes then is read to the end of a line.
        self._ended = self._ended or not data or ("remaining" in self._news and not rest)

    def _tell_ending(self, ending: str) -> None:
        if self.request.afterwards is not None:
            self.request.afterwards(OWN, ending)

    def _drain(self) -> None:
        """What still is in the pipes: everybody who could write more has ended."""
        self._listen()
        while self._selector.get_map():
            ready = self._selector.select(0)
            if not ready:
                return
            for key, _ in ready:
                self._read(key)

    def _outcome(self) -> Completed:
        argv = tuple(self.request.argv)
        seconds = time.monotonic() - self._since
        news = self._news
        if "errno" in news:
            reason = os.strerror(news["errno"])
            raise EngineError(
                Failure("environment", f"{argv[0]} cannot be started: {reason}"), command=argv
            )
        if "status" not in news and not self._timed_out:
            raise EngineError(
                Failure("crash", f"the process that watched {argv[0]} was killed"), command=argv
            )
        code = os.waitstatus_to_exitcode(news.get("status", 9))
        tails: dict[str, tuple[str, ...]] = {}
        for stream in self._streams.values():
            stream.finish(hide=code != 0)
            tails[stream.name] = stream.tail.lines
        stderr = tails["stderr"]
        if self._interrupted:
            raise EngineError(
                Failure("interrupted", "the build was interrupted"),
                command=argv,
                stderr=stderr,
            )
        if news.get("orphaned") and code != 0 and not self._timed_out:
            raise EngineError(KILLED, command=argv, stderr=stderr)
        return Completed(
            argv=argv,
            exit_code=code if code >= 0 else 128 - code,
            stdout_tail=tails.get("stdout", ()),
            stderr_tail=stderr,
            seconds=seconds,
            killed_by_signal=-code if code < 0 else None,
            timed_out=self._timed_out,
            strays=news.get("strays", 0),
            started=self.request.detached is None or "started" in news,
        )


def _read_chunk(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except OSError as error:
        if error.errno != errno.EIO:  # a terminal whose last user has gone
            raise
        return b""


def _input(source: bytes | Path | int | None, stack: ExitStack) -> int:
    if isinstance(source, int):
        return source
    if isinstance(source, bytes):
        descriptor = os.memfd_create("stdin")
        stack.callback(os.close, descriptor)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(source)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor
    path = os.devnull if source is None else os.fspath(source)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor
