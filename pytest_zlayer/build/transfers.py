"""Pulls, pushes and downloads: tried again when the network or the registry had a bad moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from pytest_zlayer.build.events import Event, StepRetry
from pytest_zlayer.build.fetch import FetchError
from pytest_zlayer.build.gitsource import GitError
from pytest_zlayer.build.retry import RetryPolicy, with_retries
from pytest_zlayer.buildah.errors import EngineError

T = TypeVar("T")

# As BuildKit does: after 1, 2 and 4 seconds.
TRANSFER = RetryPolicy(retries=3, delay=1.0, backoff=2.0, max_delay=8.0)


def transfer(
    action: Callable[[], T],
    text: str,
    image: str,
    *,
    tell: Callable[[Event], None],
    stop: threading.Event,
    policy: RetryPolicy = TRANSFER,
) -> T:
    """Do ``action``, again when it failed for a reason that may pass; each retry is told.

    Args:
        action: the pull or push.
        text: what it is, for people.
        image: label of the image it belongs to.

    Raises:
        EngineError: the last attempt's.
    """

    def announce(error: BaseException, attempt: int, pause: float) -> None:
        tell(
            StepRetry(
                build_id="",
                image=image,
                stage="",
                number=0,
                text=text,
                line=0,
                attempt=attempt,
                attempts=policy.retries + 1,
                delay=pause,
                reason=str(error),
            )
        )

    return with_retries(
        lambda _: action(),
        policy,
        worth=lambda error, _: _may_pass(error),
        announce=announce,
        stop=stop,
    )


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, EngineError):
        return error.failure.kind == "transient"
    return isinstance(error, (FetchError, GitError)) and error.transient
