"""SIGTERM and SIGHUP end the run as Ctrl-C does, so that images and containers are removed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

# SIGHUP does not exist everywhere.
_NAMES = ("SIGTERM", "SIGHUP")


class Terminated(KeyboardInterrupt):
    """The run was ended by a signal other than Ctrl-C's; pytest treats it the same way."""


class TerminationHandler:
    """Turns the first SIGTERM or SIGHUP into ``Terminated`` in the main thread.

    Only signals that nobody else handles or ignores are taken. A second signal acts as if there
    were no handler.

    Attributes:
        received: the number of the signal that came, or ``None``.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._taken: list[signal.Signals] = []
        self._process = os.getpid()
        self.received: int | None = None

    def install(self) -> None:
        """Take the signals; does nothing outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        for name in _NAMES:
            number: signal.Signals | None = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._handle)
                self._taken.append(number)

    def restore(self) -> None:
        """Give the signals back, as far as nobody has taken them since."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._taken:
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_DFL)
        self._taken.clear()

    def _handle(self, number: int, _: FrameType | None) -> None:
        if os.getpid() != self._process:
            # A child forked by a test inherits the handler, but the signal must end it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self.restore()
        self.received = number
        self._interrupt()
        raise Terminated(signal.Signals(number).name)
