"""How many steps run side by side, and whose turn it is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_zlayer.builder.execute.slots import Slots


def nothing() -> None:
    """Nobody gives up."""


def test_no_more_run_than_there_are_slots() -> None:
    slots, running, most = Slots(2), [0], [0]
    together = threading.Barrier(2)
    guard = threading.Lock()

    def work(rank: int) -> None:
        with slots.hold(rank, nothing):
            with guard:
                running[0] += 1
                most[0] = max(most[0], running[0])
            together.wait()  # two are in here at the same time
            with guard:
                running[0] -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert most == [2]


def test_of_those_that_wait_the_earliest_build_comes_first() -> None:
    slots, order, waiting = Slots(1), list[int](), set[int]()
    pause = threading.Event()

    def work(rank: int) -> None:
        with slots.hold(rank, lambda: waiting.add(rank)):
            order.append(rank)

    with ThreadPoolExecutor(3) as pool, slots.hold(0, nothing):
        for rank in (3, 1, 2):
            pool.submit(work, rank)
        while len(waiting) < 3:  # each has looked whether it is its turn
            pause.wait(0.01)
    assert order == [1, 2, 3]


def test_who_gives_up_holds_nobody_up() -> None:
    slots = Slots(1)

    def give_up() -> None:
        raise InterruptedError

    with slots.hold(0, nothing), pytest.raises(InterruptedError), slots.hold(1, give_up):
        pass
    with slots.hold(2, nothing):
        pass
