"""What the user sees of builds: progress, retries, failures and what was kept."""

from __future__ import annotations

import os
import sys
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.inputs.settings import Settings
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.progress.screen import Screen
from pytest_zlayer.report.live import LiveBlock, can_be_live

if TYPE_CHECKING:
    from pytest_zlayer.events import Event, StepRetry
    from pytest_zlayer.report.model import Run
    from pytest_zlayer.report.places import PlacesUsed
    from pytest_zlayer.report.running import Running
    from pytest_zlayer.report.text import Detail, ProgressLines

PREFIX = "zlayer: "
_DETAILS: dict[str, Detail] = {"plain": "full", "quiet": "quiet"}


class RetryWarning(pytest.PytestWarning):
    """A step of a build failed and was tried again."""

    __module__ = "pytest_zlayer"


def _begin_anew(reference: weakref.ref[Reporter]) -> None:
    reporter = reference()
    if reporter is not None:
        reporter.begin_anew()


class Reporter:
    """Shows the events of builds in the terminal and remembers what the summary needs.

    ``listen`` may be called from any thread.

    Args:
        config, settings: of the run.
        clean: makes a line fit to be shown.
    """

    def __init__(
        self, config: pytest.Config, settings: Settings, clean: Callable[[str], str]
    ) -> None:
        self._config = config
        self.clean = clean
        self._lock = threading.RLock()
        self._detail = _detail(config, settings)
        self._progress: dict[str, ProgressLines] = {}
        self._running: Running | None = None
        self._making = threading.Lock()
        self.screen = Screen(
            config,
            LiveBlock(lambda: self.running, colours=_coloured(settings)) if self.is_live else None,
            always=distributes(config),
        )
        self._unannounced: deque[StepRetry] = deque()
        # Build id to what the image is known by: several builds may give one image.
        self._identities: dict[str, str] = {}
        self.retries: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.places: PlacesUsed | None = None
        os.register_at_fork(after_in_child=partial(_begin_anew, weakref.ref(self)))

    def begin_anew(self) -> None:
        """In a forked child: what the threads of the parent have to tell, the parent tells."""
        self._lock = threading.RLock()
        self._unannounced.clear()
        self.screen.begin_anew()

    @property
    def running(self) -> Running:
        """What is being built."""
        with self._making:
            if self._running is None:
                with LOADING:
                    from pytest_zlayer.report.running import Running

                self._running = Running()
            return self._running

    @property
    def is_live(self) -> bool:
        """Whether a terminal shows what is going on."""
        return self._detail == "live"

    @property
    def shows_output(self) -> bool:
        """Whether every line that a step writes is shown."""
        return self._detail == "full"

    def listen(self, event: Event, worker: str = "", at: float | None = None) -> None:
        """Take in one event of a build of this process, or of a worker of pytest-xdist."""
        with self._lock:
            self.running.take(event, worker, at)
            lines = self._lines(event, worker)
            self._remember(event, announce=not worker)
        if lines:
            self.screen.add(lines)
        self.screen.draw_if(self.running)

    def remember(self, event: Event, *, announce: bool) -> None:
        """Take in an event that another process shows; ``announce``: retries become warnings."""
        with self._lock:
            self._remember(event, announce=announce)

    def live(self) -> AbstractContextManager[None]:
        """While the main thread waits for a build: lines are shown as they come."""
        return self.screen.live()

    def show(self, lines: list[str]) -> None:
        """Show lines that are no build's, or come from another process."""
        self.screen.add([self.clean(line) for line in lines])
        self.screen.flush()

    def lost(self, worker: str) -> None:
        """A worker of pytest-xdist has ended."""
        with self._lock:
            self.running.lost(worker)

    def _lines(self, event: Event, worker: str) -> list[str]:
        with LOADING:
            from pytest_zlayer.report.text import ProgressLines

        if worker not in self._progress:
            self._progress[worker] = ProgressLines(self._detail)
        lines = [self.clean(line) for line in self._progress[worker].lines(event)]
        return [f"[{worker}] {line}" for line in lines] if worker else lines

    def _remember(self, event: Event, *, announce: bool) -> None:
        with LOADING:
            from pytest_zlayer.events import BuildStarted, StepRetry
            from pytest_zlayer.report.places import PlacesUsed

        if self.places is None:
            self.places = PlacesUsed()
        self.places.take(event)
        if isinstance(event, BuildStarted):
            self._identities[event.build_id] = event.same
        if isinstance(event, StepRetry):
            self.retries.append(retry_record(event))
            if announce:
                self._unannounced.append(event)

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
                    "warning_message": _warning(event, self.clean),
                    "nodeid": nodeid,
                    "when": "runtest",
                    "location": None,
                }
            )


def _detail(config: pytest.Config, settings: Settings) -> Detail:
    chosen: str = settings["progress"]
    if chosen == "auto" and config.getoption("verbose", 0) < 0:
        return "quiet"
    if chosen in _DETAILS:
        return _DETAILS[chosen]
    if not hasattr(config, "workerinput") and can_be_live(settings.environment, sys.stdout):
        return "live"
    return "full" if chosen == "live" and not sys.stdout.isatty() else "short"


def _coloured(settings: Settings) -> bool:
    return not settings.environment.get("NO_COLOR")


def distributes(config: pytest.Config) -> bool:
    """Whether this process only hands tests out to others (pytest-xdist)."""
    option = config.option
    distributes = getattr(option, "dist", "no") != "no" and bool(getattr(option, "tx", None))
    return distributes and not hasattr(config, "workerinput")


def _warning(event: StepRetry, clean: Callable[[str], str]) -> warnings.WarningMessage:
    """The warning, placed where the step stands: it is shown as ``image:line: RetryWarning: …``."""
    warning = RetryWarning(clean(f"{event.text} was tried again"))
    return warnings.WarningMessage(warning, RetryWarning, clean(event.image), event.line)


def _is_of(retry: dict[str, Any], builds: set[str]) -> bool:
    """Whether a retry belongs to one of these builds; parts of a build have longer ids."""
    build: str = retry["build"]
    return any(build == one or build.startswith(f"{one}-") for one in builds)


def retry_record(event: StepRetry) -> dict[str, Any]:
    """A retry as plain data, which can travel between processes."""
    with LOADING:
        from pytest_zlayer.report.text import retry_line

    return {
        "image": event.image,
        "build": event.build_id,
        "line": retry_line(event),
        "taken": False,
    }


def explained(operator: str, left: object, right: object) -> list[str] | None:
    """Why an ``assert`` on an object of this package failed, or ``None``."""
    # Without an object of this package nothing has to be loaded.
    if not any(type(one).__module__.startswith("pytest_zlayer.") for one in (left, right)):
        return None
    with LOADING:
        from pytest_zlayer.checks.explain import explain

    lines = explain(operator, left, right)
    return None if lines is None else [f"{left!r} {operator} {right!r}"[:240], *lines]


def header(settings: Settings) -> str | None:
    """The settings somebody made, for the head of the run; no engine is started for it."""
    shown = [f"{name}={text}" for name, text in settings.shown() if name != "list"]
    return f"{PREFIX}{', '.join(shown)}" if shown else None


def summarise(terminal: pytest.TerminalReporter, reporter: Reporter) -> None:
    """What the run's end must not leave unsaid: steps that were tried again, things kept."""

    def write(lines: Iterable[str]) -> None:
        for line in lines:
            terminal.line(reporter.clean(line))

    if reporter.retries:
        terminal.section("zlayer: steps that were tried again")
        write(retry["line"] for retry in reporter.retries)
    if reporter.places is not None:
        write(f"{PREFIX}{line}" for line in reporter.places.lines())
    if reporter.kept:
        terminal.section("zlayer: kept, with the command to look inside")
        write(f"{kept['kind']} of {kept['image']}: {kept['command']}" for kept in reporter.kept)
    if reporter.problems:
        terminal.section("zlayer: not everything could be removed", red=True)
        write(reporter.problems)


def conclude(
    terminal: pytest.TerminalReporter,
    run: Run,
    count: int | None,
    *,
    clean: Callable[[str], str],
    written: list[str],
    for_ci: list[str],
) -> None:
    """The slowest builds, where they are asked for, the line that sums up, the reports, the CI.

    ``clean`` makes a line fit to be shown.
    """
    with LOADING:
        from pytest_zlayer.report.summary import slowest, summary_line

    if count is not None and run.builds:
        terminal.section("zlayer: slowest builds and steps")
        for line in slowest(run, count):
            terminal.line(clean(line))
    total = summary_line(run)
    if total is not None:
        terminal.line(f"{PREFIX}{total}")
    for line in (*written, *for_ci):
        terminal.line(line)
