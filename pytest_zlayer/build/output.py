"""What a step writes: to the log, to the listener, and a bounded tail for the report."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from pytest_zlayer.build.events import OutputLine
from pytest_zlayer.build.failures import TAIL_LINES
from pytest_zlayer.build.job import BuildLog
from pytest_zlayer.build.steps import Step


class StepOutput:
    """Receives the lines of one step; both streams may write at the same time."""

    def __init__(self, step: Step, log: BuildLog, emit: Callable[..., None]) -> None:
        self._step = step
        self._log = log
        self._emit = emit
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._guard = threading.Lock()
        self._log.write(f"--- {step.text}\n".encode("utf-8", "replace"))

    def line(self, stream: str, text: str) -> None:
        """Take one line without its newline."""
        with self._guard:
            self._tail.append(text)
            self._log.write(f"{text}\n".encode("utf-8", "replace"))
        self._emit(OutputLine, number=self._step.number, stream=stream, text=text)

    def tail(self) -> tuple[str, ...]:
        """The last lines of both streams in the order they came."""
        with self._guard:
            return tuple(self._tail)
