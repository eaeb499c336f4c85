"""Transfers: what is tried again, how it is reported, and how long it may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from pytest_zlayer.buildah.errors import EngineError, EngineTimeout
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.builder.context.fetch import FetchError
from pytest_zlayer.builder.model.retry_policy import RetryPolicy
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.builder.store.transfers import Transfers
from pytest_zlayer.events import Event, StepRetry

CUT = EngineError(Failure("transient", "the connection was cut"))
DENIED = EngineError(Failure("permanent", "access is denied", "log in"))


class Scripted:
    """An action that fails as given, then answers ``done``; it remembers its time limits."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.limits: list[float | None] = []

    def __call__(self, seconds: float | None) -> str:
        self.limits.append(seconds)
        if self._errors:
            raise self._errors.pop(0)
        return "done"


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def transfers(events: list[Event]) -> Callable[..., Transfers]:
    """Makes transfers with two retries and no pauses to speak of."""

    def make(limit: float | None = 600.0, stop: threading.Event | None = None) -> Transfers:
        policy = RetryPolicy(retries=2, delay=0.001)
        stop = stop or threading.Event()
        return Transfers(policy, limit, tell=events.append, stop=stop)

    return make


def pull(transfers: Transfers, action: Scripted, **more: float) -> str:
    return transfers.do(action, "pull", "r.example/a:1", "api", **more)


def test_what_may_pass_is_tried_again(transfers: Callable[..., Transfers]) -> None:
    action = Scripted(CUT, FetchError("cut", transient=True))
    assert pull(transfers(), action) == "done"
    assert len(action.limits) == 3


def test_each_further_attempt_is_reported(
    transfers: Callable[..., Transfers], events: list[Event]
) -> None:
    pull(transfers(), Scripted(CUT))
    assert events == [
        StepRetry(
            build_id="",
            image="api",
            stage="",
            number=0,
            text="pull r.example/a:1",
            line=0,
            attempt=1,
            attempts=3,
            delay=0.001,
            reason="the connection was cut",
        )
    ]


def test_what_will_not_pass_is_not_tried_again(transfers: Callable[..., Transfers]) -> None:
    action = Scripted(DENIED)
    with pytest.raises(EngineError) as caught:
        pull(transfers(), action)
    assert str(caught.value) == "cannot pull r.example/a:1: access is denied\nhint: log in"
    assert len(action.limits) == 1


def test_attempts_are_used_up(transfers: Callable[..., Transfers]) -> None:
    with pytest.raises(EngineError) as caught:
        pull(transfers(), Scripted(CUT, CUT, CUT))
    assert str(caught.value) == "cannot pull r.example/a:1: the connection was cut"
    assert caught.value.failure.kind == "transient"


def test_a_transfer_without_end_is_reported_with_its_limit(
    transfers: Callable[..., Transfers],
) -> None:
    action = Scripted(EngineTimeout(Failure("timeout", "buildah did not end")))
    with pytest.raises(EngineTimeout) as caught:
        pull(transfers(600.0), action)
    assert caught.value.message == "cannot pull r.example/a:1: it had not finished after 600 s"
    assert action.limits == [600.0]


def test_a_deadline_shortens_the_limit(transfers: Callable[..., Transfers]) -> None:
    action = Scripted()
    pull(transfers(600.0), action, deadline=time.monotonic() + 5)
    assert action.limits[0] is not None
    assert 0 < action.limits[0] <= 5


def test_a_deadline_counts_where_there_is_no_limit(transfers: Callable[..., Transfers]) -> None:
    action = Scripted()
    pull(transfers(None), action, deadline=time.monotonic() - 1)
    assert action.limits == [0.001]


def test_without_limit_and_deadline_it_may_take_for_ever(
    transfers: Callable[..., Transfers],
) -> None:
    action = Scripted()
    pull(transfers(None), action)
    assert action.limits == [None]


def test_the_end_of_the_session_ends_the_pauses(transfers: Callable[..., Transfers]) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        pull(transfers(stop=stop), Scripted(CUT))


def test_an_interrupted_transfer_keeps_its_words(transfers: Callable[..., Transfers]) -> None:
    error = EngineError(Failure("interrupted", "the build was interrupted"))
    with pytest.raises(EngineError) as caught:
        pull(transfers(), Scripted(error))
    assert caught.value is error
