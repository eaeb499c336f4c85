"""No signal that is to end the run is lost."""

from __future__ import annotations

import os
import signal
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pytest_zlayer.signals import CtrlC, Terminated, TerminationHandler


class Thing:
    pass


def lose_ctrl_c() -> None:
    lose(signal.SIGINT)


def lose(number: signal.Signals) -> None:
    """It comes while a callback runs that nothing can be raised from, as imports have them."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(number))
    del thing
    assert reference() is None


@contextmanager
def only_printed() -> Iterator[list[type[BaseException]]]:
    """What Python has only printed meanwhile; pytest 8.0 has a hook of its own for each call."""
    found: list[type[BaseException]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda one: found.append(one.exc_type))
        yield found


@pytest.fixture(autouse=True)
def default_handler() -> None:
    """What a terminal gives; in the background of a script SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_python_loses_ctrl_c() -> None:
    with only_printed() as lost:
        lose_ctrl_c()
    assert lost == [KeyboardInterrupt]


def interrupted(block: Callable[[CtrlC], object]) -> list[str]:
    """Run something that Ctrl-C comes into; what was called meanwhile."""
    called: list[str] = []

    def run() -> None:
        with CtrlC(lambda: called.append("interrupted")) as ctrl_c:
            block(ctrl_c)
            called.append("went on")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return called


def test_lost_ctrl_c_comes_at_the_end() -> None:
    with only_printed() as lost:
        assert interrupted(lambda _: lose_ctrl_c()) == ["interrupted", "went on"]
    assert lost == [KeyboardInterrupt]


def test_what_is_to_be_interrupted_may_be_known_later() -> None:
    later: list[str] = []

    def block(ctrl_c: CtrlC) -> None:
        lose_ctrl_c()
        ctrl_c.interrupts(lambda: later.append("interrupted"))

    with only_printed() as lost:
        interrupted(block)
    assert later == ["interrupted"]
    assert lost == [KeyboardInterrupt]


def test_ctrl_c_is_raised_at_once() -> None:
    assert interrupted(lambda _: signal.raise_signal(signal.SIGINT)) == ["interrupted"]


def test_another_error_does_not_hide_it() -> None:
    def block(_: CtrlC) -> None:
        lose_ctrl_c()
        raise ValueError

    with only_printed() as lost:
        assert interrupted(block) == ["interrupted"]
    assert lost == [KeyboardInterrupt]


def test_handler_of_somebody_else_stays() -> None:
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    with CtrlC():
        signal.raise_signal(signal.SIGINT)
    assert came == [signal.SIGINT]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_forked_child_interrupts_nothing() -> None:
    with CtrlC(lambda: os._exit(1)):
        pid = os.fork()
        if pid == 0:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                os._exit(0)
            os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_lost_termination_comes_at_the_end(number: signal.Signals) -> None:
    """Also where what was interrupted has failed meanwhile."""
    called: list[str] = []

    def run() -> None:
        with TerminationHandler(lambda: called.append("interrupted")):
            lose(number)
            raise ValueError

    before = signal.signal(number, signal.SIG_DFL)
    with only_printed() as lost, pytest.raises(Terminated, match=number.name):
        run()
    assert lost == [Terminated]
    assert called == ["interrupted"]
    assert signal.getsignal(number) is signal.SIG_DFL
    signal.signal(number, before)
