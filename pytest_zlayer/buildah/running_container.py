"""A command in a working container while it runs in the background."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, TypeAlias

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.messages.meaning import failed_start
from pytest_zlayer.buildah.process.command import Completed, Request
from pytest_zlayer.buildah.process.runner import Process
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.buildah.runtime.direct import Place
from pytest_zlayer.buildah.runtime.endings import Endings
from pytest_zlayer.waiting import Outcome

# Seconds between two looks whether a command has ended instead of having begun.
_LOOK = 0.1
# Seconds in which the end of a command is known when the runtime has forgotten its container.
_ENDING = 2.0
# How another command is started in a container in which one runs.
Inside: TypeAlias = "Callable[[RunRequest, Place], Request]"


class Beside(Protocol):
    """What runs a command beside another one, and knows what became of that."""

    def result(self, done: Completed, request: RunRequest) -> Completed:
        """What became of a command that buildah ran."""

    def run_beside(
        self, inside: Inside | None, request: RunRequest, has_ended: Callable[[], bool]
    ) -> Completed:
        """Runs another command in the same container; ``None``: what was there has ended."""


class RunningContainer:
    """A command that runs in a working container until it ends, or is ended.

    Args:
        beside: runs other commands in the same container.
        request: what was asked for.
        process: the command.
        begun: how others are started beside it, once it has begun.
        endings: of processes that outlive their parents, where somebody wants to hear of them.
        is_direct: whether it was started through the OCI runtime itself.
    """

    def __init__(
        self,
        beside: Beside,
        request: RunRequest,
        process: Process,
        begun: Outcome[Inside],
        endings: Endings | None,
        *,
        is_direct: bool = False,
    ) -> None:
        self.request = request
        self._beside = beside
        self._process = process
        self._begun = begun
        self._endings = endings
        self._is_direct = is_direct

    @property
    def running(self) -> bool:
        """Whether the command has not ended yet."""
        return self._process.running

    def wait(self, timeout: float | None = None) -> Completed:
        """Waits for the end of the command.

        Raises:
            TimeoutError: it is still running after so many seconds.
            EngineError: it could not be started, or :meth:`Engine.interrupt` ended it.
        """
        done = self._process.wait(timeout)
        if not self._is_direct:
            return self._beside.result(done, self.request)
        if not done.started and (failure := failed_start(done.stderr_tail)) is not None:
            done = replace(done, exit_code=failure.exit_code or done.exit_code)
        return replace(done, argv=tuple(self.request.argv))

    def signal(self, number: int) -> None:
        """Sends a signal to the command; one that has ended does not get it."""
        self._process.signal(number)

    def stop(self) -> None:
        """Kills the command and everything it has started, and waits until all that is gone."""
        self._process.stop()
        with suppress(EngineError):
            self._process.wait()
        if self._endings is not None:
            self._endings.close()

    def run(self, request: RunRequest) -> Completed:
        """Runs another command in the same container, beside this one."""
        done = self._beside.run_beside(self._inside(), request, self._has_ended)
        if self._endings is not None:
            self._endings.look()
        return done

    def _has_ended(self) -> bool:
        """Whether the command has ended, also if the news of it is still on its way."""
        with suppress(TimeoutError, EngineError):
            self._process.wait(_ENDING)
        return not self.running

    def _inside(self) -> Inside | None:
        """How others are started in it, once it has begun; ``None`` when it has ended."""
        while self.running:
            with suppress(TimeoutError):
                return self._begun.result(_LOOK)
        return None
