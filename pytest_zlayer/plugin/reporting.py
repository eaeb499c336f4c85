"""What the user sees of builds: progress, retries, failures and what was kept."""

from __future__ import annotations

import os
import sys
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.inputs.settings import Settings
from pytest_zlayer.plugin.pending import PendingLines

if TYPE_CHECKING:
    from pytest_zlayer.events import Event, StepRetry
    from pytest_zlayer.report.text import Detail

PREFIX = "zlayer: "
_DETAILS: dict[str, Detail] = {"plain": "full", "quiet": "quiet"}


class RetryWarning(pytest.PytestWarning):
    """A step of a build failed and was tried again."""


def _begin_anew(reference: weakref.ref[Reporter]) -> None:
    reporter = reference()
    if reporter is not None:
        reporter.begin_anew()


class Reporter:
    """Shows the events of builds in the terminal and remembers what the summary needs.

    ``listen`` may be called from any thread. Lines go out at once while a build is being waited
    for (``live``), because then the tests' captured output can be put aside safely; otherwise
    they wait for the next moment between two tests.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        from pytest_zlayer.report.text import ProgressLines

        self._config = config
        self._lock = threading.RLock()
        self._progress = ProgressLines(_detail(config, settings))
        self._status = settings["progress"] in {"auto", "live"} and _is_terminal()
        self._pending = PendingLines()
        self._unannounced: deque[StepRetry] = deque()
        # Build id to what the image is known by: several builds may give one image.
        self._identities: dict[str, str] = {}
        self._waiting = 0
        self._transient = False
        self.retries: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self.problems: list[str] = []
        os.register_at_fork(after_in_child=partial(_begin_anew, weakref.ref(self)))

    def begin_anew(self) -> None:
        """In a forked child: what the threads of the parent have to tell, the parent tells."""
        self._lock = threading.RLock()
        self._pending = PendingLines()
        self._unannounced.clear()
        self._waiting = 0

    def listen(self, event: Event) -> None:
        """Take in one event of a build."""
        from pytest_zlayer.events import BuildStarted, OutputLine, StepRetry
        from pytest_zlayer.report.text import printable

        with self._lock:
            self._pending.extend(self._progress.lines(event))
            if isinstance(event, BuildStarted):
                self._identities[event.build_id] = event.same
            if isinstance(event, StepRetry):
                self._unannounced.append(event)
                self.retries.append(retry_record(event))
            if self._waiting:
                self.flush()
                if isinstance(event, OutputLine):
                    self._show_status(f"{PREFIX}{event.image}: {printable(event.text)}")

    @contextmanager
    def live(self) -> Iterator[None]:
        """While the main thread waits for a build: lines are shown as they come."""
        with self._lock:
            self._waiting += 1
            self.flush()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                self.flush()
                self._clear_status()

    def flush(self) -> None:
        """Show the lines that wait; not to be called while a test's own code runs."""
        terminal = self._terminal()
        with self._lock:
            if terminal is None or not self._pending:
                return
            with self._capture_aside():
                if self._transient:
                    self._clear_status()
                else:
                    self._begin_line(terminal)
                for line in self._pending.take():
                    terminal.write_line(line)
                terminal.flush()

    def take_lines(self) -> list[str]:
        """The lines that wait, for a process that has no terminal of its own."""
        with self._lock:
            return self._pending.take()

    def show(self, lines: list[str]) -> None:
        """Show lines that another process sent."""
        with self._lock:
            self._pending.extend(lines)
        self.flush()

    def take_retries(self, identity: str) -> list[str]:
        """The retries of the builds of one image, as lines, that were not taken before."""
        with self._lock:
            builds = {build for build, same in self._identities.items() if same == identity}
            found = [one for one in self.retries if not one["taken"] and _is_of(one, builds)]
            for one in found:
                one["taken"] = True
            return [one["line"] for one in found]

    def warn_of_retries(self, nodeid: str) -> None:
        """Record a warning for each retry since the last call.

        It goes to the warnings summary directly: raised as a warning, a project's
        ``filterwarnings = error`` would turn a retry that helped into a failure.
        """
        while self._unannounced:
            event = self._unannounced.popleft()
            self._config.hook.pytest_warning_recorded.call_historic(
                kwargs={
                    "warning_message": _warning(event),
                    "nodeid": nodeid,
                    "when": "runtest",
                    "location": None,
                }
            )

    def _begin_line(self, terminal: Any) -> None:
        terminal.ensure_newline()
        # Under pytest-xdist dots stand on a line that the reporter does not know as begun.
        if self._config.get_terminal_writer().width_of_current_line:
            terminal.line("")

    def _show_status(self, text: str) -> None:
        terminal = self._terminal()
        if terminal is None or not self._status:
            return
        with self._capture_aside():
            if not self._transient:
                terminal.ensure_newline()
            width = self._config.get_terminal_writer().fullwidth - 1
            terminal.rewrite(text.expandtabs().ljust(width)[:width])
            terminal.flush()
        self._transient = True

    def _clear_status(self) -> None:
        terminal = self._terminal()
        if terminal is None or not self._transient:
            return
        with self._capture_aside():
            width = self._config.get_terminal_writer().fullwidth - 1
            terminal.rewrite(" " * width)
            terminal.rewrite("")
            terminal.flush()
        self._transient = False

    def _terminal(self) -> Any:
        # A worker of pytest-xdist has a terminal reporter as well, which writes to nowhere.
        if hasattr(self._config, "workerinput"):
            return None
        return self._config.pluginmanager.get_plugin("terminalreporter")

    def _capture_aside(self) -> AbstractContextManager[None]:
        manager: Any = self._config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if manager is None else manager.global_and_fixture_disabled()


def _detail(config: pytest.Config, settings: Settings) -> Detail:
    chosen: str = settings["progress"]
    if chosen == "live" and not _is_terminal():
        return "full"
    quiet = chosen == "auto" and config.getoption("verbose", 0) < 0
    return "quiet" if quiet else _DETAILS.get(chosen, "short")


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _warning(event: StepRetry) -> warnings.WarningMessage:
    """The warning, placed where the step stands: it is shown as ``image:line: RetryWarning: …``."""
    warning = RetryWarning(f"{event.text} was tried again")
    return warnings.WarningMessage(warning, RetryWarning, event.image, event.line)


def _is_of(retry: dict[str, Any], builds: set[str]) -> bool:
    """Whether a retry belongs to one of these builds; parts of a build have longer ids."""
    build: str = retry["build"]
    return any(build == one or build.startswith(f"{one}-") for one in builds)


def retry_record(event: StepRetry) -> dict[str, Any]:
    """A retry as plain data, which can travel between processes."""
    from pytest_zlayer.report.text import retry_line

    return {
        "image": event.image,
        "build": event.build_id,
        "line": retry_line(event),
        "taken": False,
    }


def explained(operator: str, left: object, right: object) -> list[str] | None:
    """Why an ``assert`` on something of ours failed, or ``None``."""
    # Whoever holds nothing of ours needs nothing loaded.
    if not any(type(one).__module__.startswith("pytest_zlayer.") for one in (left, right)):
        return None
    from pytest_zlayer.checks.explain import explain

    lines = explain(operator, left, right)
    return None if lines is None else [f"{left!r} {operator} {right!r}"[:240], *lines]


def header(settings: Settings) -> str | None:
    """The settings somebody made, for the head of the run; no engine is started for it."""
    shown = [
        f"{name}={_shown_value(one.value)} ({one.origin})"
        for name, one in settings.changed().items()
        if name != "list"
    ]
    return f"{PREFIX}{', '.join(shown)}" if shown else None


def _shown_value(value: Any) -> str:
    # Only the names of build arguments: people do put tokens into them.
    return "+".join(value) if hasattr(value, "keys") or isinstance(value, tuple) else str(value)


def summarise(terminal: pytest.TerminalReporter, reporter: Reporter) -> None:
    """What the run's end must not leave unsaid: steps that were tried again, things kept."""
    if reporter.retries:
        terminal.section("zlayer: steps that were tried again")
        for retry in reporter.retries:
            terminal.line(retry["line"])
    if reporter.kept:
        terminal.section("zlayer: kept, with the command to look inside")
        for kept in reporter.kept:
            terminal.line(f"{kept['kind']} of {kept['image']}: {kept['command']}")
    if reporter.problems:
        terminal.section("zlayer: not everything could be removed", red=True)
        for problem in reporter.problems:
            terminal.line(problem)
