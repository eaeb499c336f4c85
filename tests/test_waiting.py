"""Waiting that signals are noticed in, and that can be interrupted anywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pytest_zlayer.waiting import Outcome, Task, held, in_background, join, work_once
from tests.interruptions import interruptions, notices

# Seconds that nothing here takes.
LIMIT = 90.0


def test_value_is_waited_for() -> None:
    begun = threading.Event()

    def work() -> int:
        assert begun.wait(LIMIT)
        return 1

    outcome = in_background(work, "work")
    assert not outcome.is_known
    with pytest.raises(TimeoutError):
        outcome.result(0.01)
    begun.set()
    assert outcome.result(LIMIT) == 1
    assert outcome.is_known
    assert outcome.error is None


def test_error_is_raised_where_it_is_waited_for() -> None:
    outcome = in_background(lambda: 1 // 0, "work")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            outcome.result(LIMIT)
    assert isinstance(outcome.error, ZeroDivisionError)


def test_all_who_wait_get_the_outcome() -> None:
    outcome: Outcome[int] = Outcome()
    waiting = [in_background(outcome.result, "waiting") for _ in range(5)]
    outcome.give(1)
    outcome.fail(ValueError())  # only the first outcome counts
    assert [one.result(LIMIT) for one in waiting] == [1] * 5


def test_thread_is_waited_for() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, args=[LIMIT])
    thread.start()
    assert not join(thread, 0.01)
    ended.set()
    assert join(thread)


def is_free(lock: threading.Lock) -> bool:
    taken = lock.acquire(blocking=False)
    if taken:
        lock.release()
    return taken


def test_lock_is_held_in_the_block() -> None:
    lock = threading.Lock()
    with held(lock):
        assert not is_free(lock)
    assert is_free(lock)


# -- signals --


@pytest.mark.parametrize(
    "wait",
    [
        lambda: Outcome[int]().result(),
        lambda: Outcome[int]().result(LIMIT),
        lambda: hold_twice(threading.Lock()),
        lambda: join(endless()),
        lambda: join(endless(), LIMIT),
    ],
    ids=["result", "result in time", "lock", "thread", "thread in time"],
)
def test_wait_notices_a_signal_that_came_just_before(wait: Callable[[], object]) -> None:
    assert notices(wait)


def hold_twice(lock: threading.Lock) -> None:
    lock.acquire()
    with held(lock):
        raise AssertionError


def endless() -> threading.Thread:
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    return thread


def test_who_waits_can_be_interrupted_anywhere() -> None:
    outcomes: list[Outcome[int]] = []

    def wait() -> None:
        outcomes.append(Outcome())
        with pytest.raises(TimeoutError):
            outcomes[-1].result(0.01)

    for where in interruptions(wait):
        if outcomes:
            others = in_background(outcomes[-1].result, "others")
            in_background(lambda: outcomes[-1].give(1), "giving").result(LIMIT)
            assert others.result(LIMIT) == 1, where


def test_who_tells_can_be_interrupted_anywhere() -> None:
    outcomes: list[Outcome[int]] = []

    def tell() -> None:
        outcomes.append(Outcome())
        others.append(in_background(outcomes[-1].result, "others"))
        outcomes[-1].give(1)

    others: list[Outcome[int]] = []
    for where in interruptions(tell):
        if outcomes:
            outcomes[-1].give(1)  # if nothing was told before
            assert outcomes[-1].result(LIMIT) == 1, where


def test_what_is_abandoned_is_told_unless_it_has_begun() -> None:
    never, begun = Task(lambda: 1, "work"), Task(lambda: 1, "work")
    never.abandon(ValueError("never"))
    never.start()
    with pytest.raises(ValueError, match="never"):
        never.result(LIMIT)
    begun.start()
    assert begun.wait(LIMIT)
    begun.abandon(ValueError())
    assert begun.result() == 1


def test_work_of_a_thread_that_is_interrupted_is_done_by_one_that_waits() -> None:
    shared: list[Outcome[str]] = []
    begun, end = threading.Event(), threading.Event()

    def join(mine: Outcome[str]) -> Outcome[str]:
        if not shared:
            shared.append(mine)
        return shared[0]

    def interrupted(_: Outcome[str]) -> None:
        begun.set()
        assert end.wait(LIMIT)
        raise KeyboardInterrupt

    def make(work: Callable[[Outcome[str]], None]) -> str:
        return work_once(Outcome, join, work, forget=shared.remove).result()

    first = in_background(lambda: make(interrupted), "first")
    assert begun.wait(LIMIT)
    second = in_background(lambda: make(lambda mine: mine.give("done")), "second")
    end.set()
    assert second.result(LIMIT) == "done"
    with pytest.raises(KeyboardInterrupt):
        first.result(LIMIT)
    assert make(interrupted) == "done"


def test_who_takes_a_lock_can_be_interrupted_anywhere() -> None:
    lock, entered = threading.Lock(), 0

    def take() -> None:
        nonlocal entered
        with held(lock):
            entered += 1

    for where in interruptions(take):
        assert is_free(lock), where
    assert entered
