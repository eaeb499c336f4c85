"""Retries with pauses that can be interrupted."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pytest_zlayer.builder.model.retry_policy import RetryPolicy
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")


def with_retries(
    action: Callable[[int], T],
    policy: RetryPolicy,
    *,
    worth: Callable[[BaseException, int, float], bool],
    announce: Callable[[BaseException, int, float], None],
    stop: threading.Event,
) -> T:
    """Call ``action(attempt)`` until it succeeds, is not worth retrying, or attempts are used up.

    ``worth(error, attempt, seconds)`` decides about a failure while attempts are left: whether
    there is another one after that pause; ``announce(error, attempt, seconds)`` is called before
    each pause. The error of the last attempt is raised as it is. ``stop`` ends a pause at once with
    ``Interrupted``.
    """
    with LOADING:
        import tenacity

    seconds = 0.0

    def keep_trying(state: tenacity.RetryCallState) -> bool:
        nonlocal seconds
        number = state.attempt_number
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, Exception) or number > policy.retries:
            return False
        seconds = policy.pause(number)
        return worth(error, number, seconds)

    def before_pause(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            announce(error, state.attempt_number, state.upcoming_sleep)

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Interrupted

    retrying = tenacity.Retrying(
        wait=lambda _: seconds,
        retry=keep_trying,
        before_sleep=before_pause,
        sleep=pause,
    )
    attempts = itertools.count(1)
    return retrying(lambda: action(next(attempts)))
