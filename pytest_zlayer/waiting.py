"""Waiting for other threads without missing signals.

CPython runs the handler of a signal in the main thread, between two of its instructions. When a
signal comes just before a wait begins, that is after the wait. So nothing here waits for longer
than ``LONGEST`` at a time.

What a handler raises (``KeyboardInterrupt``, the time limit of a test) comes out of whatever code
of Python runs, also out of the middle of ``Condition``, ``Event`` and ``Future``, which are made of
such code: a lock inside them then stays held, and every other thread waits for ever. What is here
can be interrupted anywhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
AnyOutcome = TypeVar("AnyOutcome", bound="Outcome[Any]")

# Seconds after which a signal is noticed in any case.
LONGEST = 1.0


class Outcome(Generic[T]):
    """A value, or an error, that another thread will give; the first one counts."""

    def __init__(self) -> None:
        self._given: list[tuple[Callable[[], T], BaseException | None]] = []
        self._waiting: list[SimpleQueue[None]] = []

    @property
    def is_known(self) -> bool:
        """Whether there is a value or an error."""
        return bool(self._given)

    @property
    def error(self) -> BaseException | None:
        """The error, if there is one."""
        return self._given[0][1] if self._given else None

    def give(self, value: T) -> None:
        """Give the value."""
        self._set(lambda: value, None)

    def fail(self, error: BaseException) -> None:
        """Give an error instead."""

        def get() -> T:
            raise error

        self._set(get, error)

    def _set(self, get: Callable[[], T], error: BaseException | None) -> None:
        self._given.append((get, error))
        # A thread that begins to wait from now on sees it without being woken.
        for one in tuple(self._waiting):
            one.put(None)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is known, or for so many seconds; whether it is known."""
        known: SimpleQueue[None] = SimpleQueue()
        self._waiting.append(known)
        until = None if seconds is None else time.monotonic() + seconds
        while not self._given and (pause := left(until)) > 0:
            with suppress(Empty):
                known.get(timeout=pause)
        self._waiting.remove(known)
        return self.is_known

    def result(self, seconds: float | None = None) -> T:
        """The value, waited for.

        Raises:
            TimeoutError: it was not known in so many seconds.
            The error that was given instead.
        """
        if not self.wait(seconds):
            raise TimeoutError
        return self._given[0][0]()

    def do(self, work: Callable[[], T]) -> None:
        """Do ``work``; what it gives or raises is the outcome."""
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
            self.fail(error)
        else:
            self.give(value)


class Task(Outcome[T]):
    """What ``work`` gives, which is done in a thread of its own once it is started."""

    def __init__(self, work: Callable[[], T], name: str) -> None:
        super().__init__()
        self._left = [work]  # the thread that takes it from here gives the outcome
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _run(self) -> None:
        with suppress(IndexError):  # it was abandoned
            work = self._left.pop()
            self.do(work)

    def abandon(self, error: BaseException) -> None:
        """Give an error because starting it was interrupted, unless it has begun even so."""
        with suppress(IndexError):
            self._left.pop()
            self.fail(error)


def in_background(work: Callable[[], T], name: str) -> Outcome[T]:
    """What ``work`` gives, which is done in a thread of its own from now on."""
    task = Task(work, name)
    task.start()
    return task


class _Abandoned(Exception):
    """The thread that did the work was interrupted: another one has to do it."""


def work_once(
    new: Callable[[], AnyOutcome],
    join: Callable[[AnyOutcome], AnyOutcome],
    work: Callable[[AnyOutcome], None],
    *,
    forget: Callable[[AnyOutcome], None],
    leave: Callable[[AnyOutcome], None] = lambda _: None,
) -> AnyOutcome:
    """The outcome of work that one of several threads does for all of them.

    When the handler of a signal interrupts that thread, another one does the work instead.

    Args:
        new: makes an outcome.
        join: gives the outcome that another thread works on; where there is none, notes the new
            one that it is given, and gives that.
        work: does the work and gives the outcome.
        forget: undoes ``join`` for an outcome that this thread will not give any more.
        leave: undoes ``join`` for any other outcome, if this thread is interrupted.
    """
    while True:
        joined = mine = new()
        try:
            joined = join(mine)
            if joined is mine:
                work(mine)
            joined.wait()
        except BaseException:
            if joined is mine and not mine.is_known:
                try:
                    forget(mine)
                finally:
                    mine.fail(_Abandoned())
            else:
                leave(joined)
            raise
        if not isinstance(joined.error, _Abandoned):
            return joined


class held:  # noqa: N801 (it is used as a function is)
    """Holds a lock that another thread may hold for long: ``with held(lock):``.

    What is only ever held for a moment needs no more than ``with lock:``.
    """

    def __init__(self, lock: Any) -> None:  # Lock or RLock
        self._lock = lock

    def __enter__(self) -> None:
        taken: list[bool] = []
        try:
            while not any(taken):
                # In one call of C code: no handler runs between taking it and noting that.
                taken.extend(map(self._lock.acquire, (True,), (LONGEST,)))
        except BaseException:
            if any(taken):
                self._lock.release()
            raise

    # The lock's own, which is C code: no handler runs between the end of the block and the release.
    __exit__ = cast("Callable[..., None]", property(attrgetter("_lock.__exit__")))


def join(thread: threading.Thread, seconds: float | None = None) -> bool:
    """Wait for the end of a thread, or for so many seconds; whether it has ended."""
    until = None if seconds is None else time.monotonic() + seconds
    while thread.is_alive() and (pause := left(until)) > 0:
        thread.join(pause)
    return not thread.is_alive()


def left(until: float | None) -> float:
    """Seconds that may be waited for at a time, up to this value of ``time.monotonic()``."""
    return LONGEST if until is None else min(LONGEST, until - time.monotonic())
