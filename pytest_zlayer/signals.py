"""Signals that end a run: images and containers are removed first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

# SIGHUP does not exist everywhere.
_NAMES = ("SIGTERM", "SIGHUP")


class Terminated(KeyboardInterrupt):
    """The run was ended by a signal other than Ctrl-C's; pytest treats it the same way."""

    __module__ = "pytest_zlayer"


class CtrlC:
    """Lets Ctrl-C end a block, whatever runs in the main thread when it comes.

    Python raises ``KeyboardInterrupt`` in the code that happens to run. Out of some of it nothing
    can be raised: callbacks of weak references, of which every import has some, finalizers, hooks
    of the garbage collector. Then Python prints the exception and goes on. So the signal is noted
    too, what the block does is interrupted, and the exception is raised at its end.

    Where somebody else handles SIGINT, and outside the main thread, it does nothing.
    """

    def __init__(self, interrupt: Callable[[], None] | None = None) -> None:
        self._interrupt = interrupt
        self._process = os.getpid()
        self._taken = False
        self._came = False

    def __enter__(self) -> Self:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            self._taken = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._taken and signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._came:
            # A new one: nobody wants to see which of our functions it has hit.
            raise KeyboardInterrupt from None

    def interrupts(self, interrupt: Callable[[], None]) -> None:
        """From now on it calls this; at once if it has come already."""
        self._interrupt = interrupt
        if self._came:
            interrupt()

    def _handle(self, *_: object) -> None:
        if os.getpid() == self._process:
            self._came = True
            if self._interrupt is not None:
                self._interrupt()
        raise KeyboardInterrupt


class TerminationHandler:
    """Turns the first SIGTERM or SIGHUP into ``Terminated`` in the main thread.

    Only signals that nobody else handles or ignores are taken. A second signal acts as if there
    were no handler. As a context manager it raises ``Terminated`` again at the end of the block, as
    :class:`CtrlC` does.

    Attributes:
        received: the number of the signal that came, or ``None``.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._taken: list[signal.Signals] = []
        self._process = os.getpid()
        self.received: int | None = None

    def __enter__(self) -> Self:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()
        self.check()

    def check(self) -> None:
        """Raise ``Terminated`` if a signal has come, in case that was lost."""
        if self.received is not None:
            raise Terminated(signal.Signals(self.received).name) from None

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
