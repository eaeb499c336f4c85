"""Trying again: how often, after which pause, and that a pause can be interrupted."""

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
    worth: Callable[[BaseException, int], bool],
    announce: Callable[[BaseException, int, float], None],
    stop: threading.Event,
) -> T:
    """Call ``action(attempt)`` until it succeeds, is not worth retrying, or attempts are used up.

    ``worth(error, attempt)`` decides about a failure; ``announce(error, attempt, seconds)`` is
    called before each pause. The error of the last attempt is raised as it is. ``stop`` ends a
    pause at once with ``Interrupted``.
    """
    with LOADING:
        import tenacity

    def keep_trying(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        return isinstance(error, Exception) and worth(error, state.attempt_number)

    def before_pause(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            announce(error, state.attempt_number, state.upcoming_sleep)

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Interrupted

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(policy.retries + 1),
        wait=lambda state: policy.pause(state.attempt_number),
        retry=keep_trying,
        before_sleep=before_pause,
        sleep=pause,
        reraise=True,
    )
    attempts = itertools.count(1)
    return retrying(lambda: action(next(attempts)))
