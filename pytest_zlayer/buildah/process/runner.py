"""Runs commands under one agent, any number at a time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from pytest_zlayer.buildah.process.command import Completed, Request
from pytest_zlayer.buildah.process.interruption import Interruption, current
from pytest_zlayer.buildah.process.late_agent import Agent
from pytest_zlayer.lazy import LazyModule
from pytest_zlayer.waiting import Task

# What no unchanged build needs is loaded with the first command.
if TYPE_CHECKING:
    from pytest_zlayer.buildah.process import running_command
    from pytest_zlayer.buildah.process.running_command import RunningCommand
else:
    running_command = LazyModule("pytest_zlayer.buildah.process.running_command")

# Seconds a brief command goes on for after an interruption; it may wait for a lock.
_PATIENCE = 10.0


class Runner:
    """Runs commands under one agent, any number at a time."""

    def __init__(self, client: Agent) -> None:
        self._client = client
        self._running: dict[int, RunningCommand] = {}
        self._numbers = itertools.count(1)
        # What differs from thread to thread: the group its commands belong to.
        self._threads = threading.local()
        self._interrupted = False
        self._spared: Interruption | None = None

    def interruption(self) -> Interruption:
        """A new group of commands, which can be ended together. Brief ones never belong to it."""
        return Interruption(self._threads, self._is_over)

    def _is_over(self, group: Interruption) -> bool:
        return self._interrupted and group is not self._spared

    def run(self, request: Request) -> Completed:
        """Runs a command to its end, whatever its status.

        If waiting is interrupted (Ctrl-C), the command is ended first.

        Raises:
            EngineError: of kind ``environment`` when the program cannot be started, of kind
                ``interrupted`` when :meth:`interrupt` ended it.
        """
        running = running_command.RunningCommand(request)
        with self._begun(running):
            return self._follow(running)

    def start(self, request: Request) -> Process:
        """Starts a command that runs in the background.

        Raises:
            EngineError: as of :meth:`run`, if that shows at once.
        """
        running = running_command.RunningCommand(request)
        stack = ExitStack()
        stack.enter_context(self._begun(running))

        def follow() -> Completed:
            with stack:
                return self._follow(running)

        return Process(running, follow)

    @contextmanager
    def _begun(self, running: RunningCommand) -> Iterator[None]:
        key = id(running)
        group = None if running.request.brief else current(self._threads)
        with running.started(self._client), group.including(running) if group else nullcontext():
            self._running[key] = running
            try:
                if group is not None:
                    # Only now: an interruption that comes later finds it among those that run.
                    group.end_if_over(running)
                yield
            finally:
                del self._running[key]

    def _follow(self, running: RunningCommand) -> Completed:
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

    def interrupt(self, sparing: Interruption | None = None) -> None:
        """Ends all commands now running, and those of groups that are still to come.

        One group may be spared. Brief ones get a moment to end by themselves: what is finished is
        not to be lost.
        """
        self._spared = None if self._interrupted else sparing
        self._interrupted = True
        running = [one for one in list(self._running.values()) if not sparing or one not in sparing]
        _interrupt([one for one in running if not one.request.brief])
        if brief := [one for one in running if one.request.brief]:
            timer = threading.Timer(_PATIENCE, _interrupt, [brief])
            timer.daemon = True
            timer.start()


def _interrupt(commands: Sequence[RunningCommand]) -> None:
    for one in commands:
        one.interrupt()


class Process:
    """A command that runs in the background, until it ends by itself or is ended.

    Attributes:
        request: what was asked for.
    """

    def __init__(self, running: RunningCommand, follow: Callable[[], Completed]) -> None:
        self.request = running.request
        self._running = running
        self._end = Task(follow, "zlayer-process")
        self._end.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._end.is_known

    def wait(self, timeout: float | None = None) -> Completed:
        """Waits for its end.

        Raises:
            TimeoutError: it is still running after so many seconds.
            EngineError: as of :meth:`Runner.run`.
        """
        return self._end.result(timeout)

    def signal(self, number: int) -> None:
        """Sends a signal to it, or does nothing when it has ended."""
        self._running.signal(number)

    def stop(self) -> None:
        """Ends it with all that it has started, without waiting for that."""
        self._running.stop()
