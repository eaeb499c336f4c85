"""The terminal of a run: lines about builds among those of pytest, and the live block below."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest

from pytest_zlayer.plugin.progress.pending import PendingLines
from pytest_zlayer.report.live import ERASE_BELOW, PAUSE, LiveBlock
from pytest_zlayer.waiting import Outcome


class Screen:
    """Shows lines at moments when that is safe. Any thread may add some.

    In a process that runs tests these are the times in which it waits for a build: then the
    captured output of the tests can be put aside; and those between two tests. The controller of
    pytest-xdist runs none: there (``always``) lines go out at once, but never into the middle of
    what pytest writes (``printing``).

    Args:
        config: of the run.
        block: what to draw below, if anything.
        always: whether no test runs in this process.
    """

    def __init__(self, config: pytest.Config, block: LiveBlock | None, *, always: bool) -> None:
        self._config = config
        self._block = block
        self._always = always
        self._lock = threading.RLock()
        self._pending = PendingLines()
        self._waiting: set[object] = set()
        self._drawn = False
        self._ended: Outcome[None] = Outcome()
        self._ticker: threading.Thread | None = None

    def begin_anew(self) -> None:
        """In a forked child: nothing of what the parent is about to write, and no block."""
        self._lock = threading.RLock()
        self._pending = PendingLines()
        self._waiting = set()
        self._drawn = False
        self._block = None

    def add(self, lines: Iterable[str]) -> None:
        """Show lines, now or at the next good moment."""
        with self._lock:
            self._pending.extend(lines)
            if self._waiting or self._always:
                self.flush()

    @contextmanager
    def live(self) -> Iterator[None]:
        """While the main thread waits for a build: lines are shown as they come."""
        me = object()
        try:
            with self._lock:
                self._waiting.add(me)
                self.flush()
            self.draw_if(running=True)
            yield
        finally:
            with self._lock:
                self._waiting.discard(me)
                self.flush()
                self._erase()

    @contextmanager
    def printing(self) -> Iterator[None]:
        """While pytest writes: the block is gone, and nobody else writes."""
        with self._lock:
            self._erase()
            yield

    def flush(self) -> None:
        """Show the lines that wait; not to be called while a test's own code runs."""
        terminal = self._terminal()
        with self._lock:
            if terminal is None or not self._pending:
                return
            self._erase()
            with self._capture_aside():
                self._begin_line(terminal)
                for line in self._pending.take():
                    terminal.write_line(line)
                terminal.flush()

    def take_lines(self) -> list[str]:
        """The lines that wait, for a process that has no terminal of its own."""
        with self._lock:
            return self._pending.take()

    def draw_if(self, running: object) -> None:
        """Draw from now on what is going on, if anything is ``running`` and may be drawn."""
        with self._lock:
            if self._ended.is_known or self._ticker is not None or self._block is None:
                return
            if running and (self._waiting or self._always):
                self._ticker = threading.Thread(target=self._tick, name="zlayer-live", daemon=True)
                self._ticker.start()

    def end(self) -> None:
        """Draw nothing more."""
        self._ended.give(None)
        with self._lock:
            self._erase()

    def _tick(self) -> None:
        while not self._ended.wait(PAUSE):
            with self._lock:
                if self._ended.is_known:
                    return
                self._redraw()
                if not self._drawn and not self._waiting:
                    self._ticker = None
                    return

    def _redraw(self) -> None:
        if self._block is None or self._terminal() is None:
            return
        if not (self._waiting or self._always):
            return
        column = self._config.get_terminal_writer().width_of_current_line
        with self._capture_aside():  # else the descriptor of the terminal is a file's
            text = self._block.text(column)
            if text:
                self._write(text)
                self._drawn = True
            else:
                self._erase()

    def _erase(self) -> None:
        if self._drawn:
            self._write(ERASE_BELOW)
            self._drawn = False

    def _write(self, text: str) -> None:
        with self._capture_aside():
            sys.stdout.write(text)
            sys.stdout.flush()

    def _begin_line(self, terminal: Any) -> None:
        terminal.ensure_newline()
        # Under pytest-xdist dots stand on a line that the reporter does not know as begun.
        if self._config.get_terminal_writer().width_of_current_line:
            terminal.line("")

    def _terminal(self) -> Any:
        # A worker of pytest-xdist has a terminal reporter as well, which writes to nowhere.
        if hasattr(self._config, "workerinput"):
            return None
        return self._config.pluginmanager.get_plugin("terminalreporter")

    def _capture_aside(self) -> AbstractContextManager[None]:
        manager: Any = self._config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if manager is None else manager.global_and_fixture_disabled()
