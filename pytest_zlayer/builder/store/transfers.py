"""Pulls, pushes and downloads: tried again when the network or the registry had a bad moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from pytest_zlayer.buildah.errors import EngineError, EngineTimeout
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.builder.model.errors import RemoteError
from pytest_zlayer.builder.model.retry_policy import RetryPolicy
from pytest_zlayer.builder.retry import with_retries
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.events import Event, StepRetry

T = TypeVar("T")
_AT_LEAST = 0.001  # seconds: when no time is left it fails as too slow, in the usual words


class Transfers:
    """Does the pulls, pushes and downloads of one session. Safe for several threads.

    Args:
        policy: how often a failure that may pass is tried again.
        limit: seconds one attempt of a pull or push may take; ``None``: any.
        tell: receives a ``StepRetry`` before each further attempt.
        stop: set when the session ends.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        limit: float | None,
        *,
        tell: Callable[[Event], None],
        stop: threading.Event,
    ) -> None:
        self._policy = policy
        self._limit = limit
        self._tell = tell
        self._stop = stop

    def do(
        self,
        action: Callable[[float | None], T],
        verb: str,
        reference: str,
        image: str,
        *,
        deadline: float | None = None,
    ) -> T:
        """Do ``action(seconds it may take)``, again when it failed for a reason that may pass.

        Args:
            action: the transfer.
            verb: what it does, for people: ``pull``, ``push`` or ``fetch``.
            reference: with which image or URL, without a password.
            image: label of the image it is for.
            deadline: the ``time.monotonic()`` at which it has to be done anyway.

        Raises:
            EngineError: the last attempt's, with a sentence that names ``reference``.
            RemoteError: the last attempt's.
            Interrupted: the session ended during a pause.
        """
        seconds = self._limit

        def attempt(_: int) -> T:
            nonlocal seconds
            seconds = self._time_for(deadline)
            return action(seconds)

        try:
            return with_retries(
                attempt,
                self._policy,
                worth=lambda error, *_: _may_pass(error),
                announce=lambda error, attempt, pause: self._tell(
                    self._retry(f"{verb} {reference}", image, error, attempt, pause)
                ),
                stop=self._stop,
            )
        except EngineTimeout as error:
            message = f"cannot {verb} {reference}: it had not finished after {seconds:.3g} s"
            raise _again(error, message, "allow more time, or check the registry") from error
        except EngineError as error:
            if error.interrupted:
                raise
            message = f"cannot {verb} {reference}: {error.failure.message}"
            raise _again(error, message, error.failure.hint) from error

    def _time_for(self, deadline: float | None) -> float | None:
        """Seconds the next attempt may take."""
        if deadline is None:
            return self._limit
        left = max(deadline - time.monotonic(), _AT_LEAST)
        return left if self._limit is None else min(left, self._limit)

    def _retry(
        self, text: str, image: str, error: BaseException, attempt: int, pause: float
    ) -> StepRetry:
        return StepRetry(
            build_id="",
            image=image,
            stage="",
            number=0,
            text=text,
            line=0,
            attempt=attempt,
            attempts=self._policy.retries + 1,
            delay=pause,
            reason=error.message if isinstance(error, ZlayerError) else str(error),
        )


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, EngineError):
        return error.failure.kind == "transient"
    return isinstance(error, RemoteError) and error.transient


def _again(error: EngineError, message: str, hint: str | None) -> EngineError:
    """The same error in other words."""
    failure: Failure = replace(error.failure, message=message, hint=hint)
    return type(error)(
        failure, command=error.command, exit_code=error.exit_code, stderr=error.stderr
    )
