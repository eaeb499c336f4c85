"""Trying again: who is asked, and when."""

from __future__ import annotations

import threading

import pytest

from pytest_zlayer.builder.model.retry_policy import RetryPolicy
from pytest_zlayer.builder.retry import with_retries


class Attempts:
    """An action that always fails, and what was asked and announced about it."""

    def __init__(self, policy: RetryPolicy, *, worth: bool = True) -> None:
        self.asked: list[tuple[str, int, float]] = []
        self.announced: list[tuple[str, int, float]] = []
        self._worth = worth
        with pytest.raises(OSError, match="attempt") as caught:
            with_retries(
                self._fail,
                policy,
                worth=self._is_worth,
                announce=lambda error, *more: self.announced.append((str(error), *more)),
                stop=threading.Event(),
            )
        self.error = str(caught.value)

    def _fail(self, number: int) -> None:
        raise OSError(f"attempt {number}")

    def _is_worth(self, error: BaseException, number: int, seconds: float) -> bool:
        self.asked.append((str(error), number, seconds))
        return self._worth


def test_nobody_is_asked_when_no_attempt_is_left() -> None:
    assert Attempts(RetryPolicy()).asked == []
    done = Attempts(RetryPolicy(retries=2, delay=0))
    assert done.asked == [("attempt 1", 1, 0), ("attempt 2", 2, 0)]
    assert done.error == "attempt 3"


def test_the_pause_that_is_asked_about_is_the_one_that_is_made() -> None:
    done = Attempts(RetryPolicy(retries=3, delay=0.001, backoff=2))
    assert done.asked == done.announced
    assert len({seconds for *_, seconds in done.asked}) == 3


def test_what_is_not_worth_it_is_not_tried_again() -> None:
    done = Attempts(RetryPolicy(retries=2), worth=False)
    assert (done.error, done.announced) == ("attempt 1", [])
