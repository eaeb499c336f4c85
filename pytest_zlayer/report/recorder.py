"""From events to the model of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from pytest_zlayer import events
from pytest_zlayer.events import Event
from pytest_zlayer.report.model import Kept, Run, Test
from pytest_zlayer.report.text import place_problem
from pytest_zlayer.report.unfinished import UnfinishedBuild


class Recorder:
    """Takes in the events of a run, of all its processes. Safe for several threads.

    Args:
        started: when the run began.
        logs: whether to keep what steps write.
    """

    def __init__(self, *, started: float | None = None, logs: bool = False) -> None:
        self._started = time.time() if started is None else started
        self._logs = logs
        self._builds: dict[str, UnfinishedBuild] = {}
        self._tests: dict[str, Test] = {}
        self._place_problems: dict[str, None] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        """Whether anything was built."""
        return bool(self._builds)

    def take(self, event: Event, *, worker: str = "", at: float | None = None) -> None:
        """Take in one event of a process; ``at``: when it happened."""
        if isinstance(event, events.OutputLine) and not self._logs:
            return
        if isinstance(event, events.CachePlaceProblem):
            with self._lock:
                self._place_problems[place_problem(event)] = None
            return
        with self._lock:
            build = self._build(event, worker, time.time() if at is None else at)
            if build is not None:
                build.take(event, time.time() if at is None else at)

    def test(self, nodeid: str, outcome: str, seconds: float) -> None:
        """What became of a phase of a test: a failure is not forgotten for what follows."""
        with self._lock:
            before = self._tests.get(nodeid)
            if before is not None:
                seconds += before.seconds
                outcome = before.outcome if before.outcome in ("failed", "error") else outcome
            self._tests[nodeid] = Test(id=nodeid, outcome=outcome, seconds=seconds)

    def run(
        self,
        *,
        exit_status: int | None = None,
        environment: Mapping[str, str] | None = None,
        kept: tuple[Kept, ...] = (),
        left: tuple[str, ...] = (),
        shard: str = "",
        now: float | None = None,
    ) -> Run:
        """The run as it is at the moment ``now``."""
        now = time.time() if now is None else now
        with self._lock:
            builds = tuple(one.freeze(now) for one in self._builds.values())
            used = {use.test for build in builds for use in build.uses}
            tests = tuple(one for name, one in self._tests.items() if name in used)
        return Run(
            started=self._started,
            seconds=now - self._started,
            exit_status=exit_status,
            shard=shard,
            environment=environment or {},
            builds=builds,
            tests=tests,
            kept=kept,
            left=left,
            place_problems=tuple(self._place_problems),
        )

    def _build(self, event: Event, worker: str, at: float) -> UnfinishedBuild | None:
        name = event.build_id
        if not name:
            return self._latest(event, worker)
        if name not in self._builds:
            whole = next((one for one in self._builds if name.startswith(f"{one}-")), None)
            if whole is not None:
                self._builds[whole].part(name[len(whole) + 1 :])
                return self._builds[whole]
            self._builds[name] = UnfinishedBuild(event, worker, at)
        return self._builds[name]

    def _latest(self, event: Event, worker: str) -> UnfinishedBuild | None:
        """The build of an event that only knows its image: transfers, waits, uses."""
        wanted = getattr(event, "image_id", "")
        found = [one for one in reversed(self._builds.values()) if one.image == event.image]
        found.sort(key=lambda one: (one.made(wanted), one.worker == worker), reverse=True)
        return found[0] if found else None
