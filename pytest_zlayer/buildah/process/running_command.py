"""One command while it runs: its output as it comes, its end, its time limit."""

from __future__ import annotations

import errno
import json
import os
import selectors
import socket
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, field
from functools import partial
from pathlib import Path

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import KILLED, Failure
from pytest_zlayer.buildah.messages.lines import own_words
from pytest_zlayer.buildah.process.command import OWN, Completed, Request
from pytest_zlayer.buildah.process.console_socket import END_OF_INPUT, listen, receive
from pytest_zlayer.buildah.process.late_agent import Agent
from pytest_zlayer.buildah.process.output import (
    LineSink,
    LineSplitter,
    Tail,
    TrailingFilter,
    read_to_the_end,
    without_end,
)
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.waiting import LONGEST

_CHUNK = 64 * 1024
_TAIL_LINES = 200
_TAIL_CHARACTERS = 256 * 1024
_NEWS = "news"
# Seconds a killed command may take to be gone; only one in an uninterruptible sleep takes longer.
_ENDING = 15.0
# Seconds between two calls of ``Request.meanwhile``.
_BETWEEN = 0.25


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
        self._trailing: TrailingFilter | None = None
        if request.hide_own_lines and (name == "stderr" or request.terminal == "recorded"):
            self._trailing = TrailingFilter(
                lambda text: own_words(without_end(text)), self._pass_on
            )

    def feed(self, data: bytes) -> None:
        for sink in self._raw:
            sink.write(data)
        self._take(data, final=False)

    def finish(self, *, hide: bool) -> None:
        self._take(b"", final=True)
        if self._trailing is not None:
            self._trailing.finish(hide=hide)

    def _take(self, data: bytes, *, final: bool) -> None:
        for text in self._splitter.feed(data, final=final):
            self.tail.add(without_end(text))
            if self._trailing is not None:
                self._trailing.add(text)
            else:
                self._pass_on(text)

    def _pass_on(self, text: str) -> None:
        if self._on_line is not None:
            self._on_line(self.name, without_end(text))
        if self._on_text is not None:
            self._on_text(self.name, text)


@dataclass(slots=True, eq=False)
class RunningCommand:
    """A command from its start until everything of it has ended."""

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
        """Reads the output, also what came before the command had begun."""
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
            pause = max(0.0, until - time.monotonic())
            for key, _ in self._selector.select(min(pause, LONGEST)):
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
        pause = max(0.0, min(moments) - time.monotonic()) if moments else LONGEST
        for key, _ in self._selector.select(min(pause, LONGEST)):
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
