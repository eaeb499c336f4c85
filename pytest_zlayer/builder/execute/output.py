"""What a step writes: to the log, to the listener, and a bounded tail for the report."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from pytest_zlayer.buildah.messages.lines import own_words
from pytest_zlayer.buildah.process.output import TrailingFilter
from pytest_zlayer.builder.execute.build import BuildLog
from pytest_zlayer.builder.model.errors import TAIL_LINES
from pytest_zlayer.builder.plan.steps import Step
from pytest_zlayer.events import OutputLine

# Bytes without a line end after which a line is passed on in pieces.
_LONGEST = 64 * 1024


class StepOutput:
    """Receives what one step writes, until the end of a ``with`` block.

    Both streams may write at the same time.

    Attributes:
        stdout, stderr: take the bytes for the log.
        failed: whether the command did; what buildah adds then is left out of the log.
    """

    def __init__(self, step: Step, log: BuildLog, emit: Callable[..., None]) -> None:
        self._step = step
        self._emit = emit
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._complaint = ""
        self._guard = threading.Lock()
        log.write(f"--- {step.text}\n".encode("utf-8", "replace"))
        self.stdout = LoggedStream(log.write)
        self.stderr = LoggedStream(log.write)
        self.failed = False

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        self.stdout.finish(hide=False)
        self.stderr.finish(hide=self.failed)

    def line(self, stream: str, text: str) -> None:
        """Take one line without its newline."""
        with self._guard:
            self._tail.append(text)
            # Progress bars write one line over and over again.
            if stream == "stderr" and (shown := text.strip().rpartition("\r")[2]):
                self._complaint = shown
        self._emit(OutputLine, number=self._step.number, stream=stream, text=text)

    def tail(self) -> tuple[str, ...]:
        """The last lines of both streams in the order they came."""
        with self._guard:
            return tuple(self._tail)

    @property
    def complaint(self) -> str:
        """The last line of standard error that is not empty; empty where there is none."""
        with self._guard:
            return self._complaint


class LoggedStream:
    """One stream on its way to the log: byte by byte as it was, but in whole lines.

    Two streams end in one file; their chunks end anywhere.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._rest = b""
        self._ready: list[str] = []
        self._trailing = TrailingFilter(own_words, self._ready.append)

    def write(self, data: bytes, /) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            # Latin-1 has a character for each byte, and gives each byte back.
            self._trailing.add(line.decode("latin-1"))
        if len(self._rest) > _LONGEST:
            self._trailing.release()
            self._pass_on(self._rest)
            self._rest = b""
        elif self._ready:
            self._pass_on()

    def _pass_on(self, more: bytes = b"") -> None:
        lines = "".join(f"{line}\n" for line in self._ready)
        self._ready.clear()
        self._write(lines.encode("latin-1") + more)

    def finish(self, *, hide: bool) -> None:
        """Pass on what has no line end, and, unless ``hide``, what was held back."""
        self._trailing.finish(hide=hide)
        if self._ready or self._rest:
            self._pass_on(self._rest + b"\n" if self._rest else b"")
            self._rest = b""
