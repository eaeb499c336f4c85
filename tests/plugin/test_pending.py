"""Lines that wait while a test runs."""

from __future__ import annotations

from pytest_zlayer.plugin.progress.pending import MOST_CHARACTERS, MOST_LINES, PendingLines


def test_lines_come_back_once_in_their_order() -> None:
    pending = PendingLines()
    pending.extend(["one", "two"])
    assert bool(pending)
    assert (pending.take(), pending.take(), bool(pending)) == (["one", "two"], [], False)


def test_too_many_lines_lose_the_oldest_and_say_so() -> None:
    pending = PendingLines()
    pending.extend(str(number) for number in range(MOST_LINES + 5))
    lines = pending.take()
    assert lines[0] == "zlayer: 5 lines are left out here"
    assert lines[1:] == [str(number) for number in range(5, MOST_LINES + 5)]


def test_long_lines_are_bounded_together() -> None:
    pending = PendingLines()
    for _ in range(100):
        pending.extend(["x" * 16384])
    assert sum(map(len, pending.take())) < MOST_CHARACTERS + 100
