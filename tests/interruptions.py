"""Signals at every place where their handlers can run."""

from __future__ import annotations

import ctypes
import inspect
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

# Code of this package, and of the library that works for it.
_MODULES = ("pytest_zlayer.", "contextlib.")


def interruptions(action: Callable[[], object], *more: str) -> Iterator[str]:
    """Do something again and again, each time with a ``KeyboardInterrupt`` at another place.

    CPython runs handlers of signals where a function of Python begins and where one of C has
    returned; there a profile function is called too. It ends when there is no further place.

    Args:
        action: what is done.
        more: modules whose code is interrupted too.

    Yields:
        Where the exception was raised, after the action, when nobody has it any more.
    """
    for number in itertools.count():
        places: list[str] = []

        def profile(
            frame: FrameType, event: str, _: Any, number: int = number, places: list[str] = places
        ) -> None:
            if event not in ("call", "c_return") or len(places) > number:
                return
            # What is raised here when a generator goes on would not come out of its ``yield``.
            if event == "call" and frame.f_code.co_flags & inspect.CO_GENERATOR:
                return
            module = frame.f_globals.get("__name__", "")
            if f"{module}.".startswith((*_MODULES, *more)):
                places.append(f"{module}:{frame.f_lineno} ({frame.f_code.co_name}, {event})")
                if len(places) > number:
                    raise KeyboardInterrupt

        try:
            sys.setprofile(profile)
            action()
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        if len(places) <= number:
            return
        yield places[number]


class Stopped(Exception):
    """What the handler of a signal raises."""


def notices(wait: Callable[[], object]) -> bool:
    """Whether a wait that nothing ends notices a signal that comes just before it.

    That is hard to bring about in the main thread. But what is raised in another thread from
    outside does the same: it does not end a wait, and comes before the next instruction.
    """
    noticed = threading.Event()

    def run() -> None:
        try:
            wait()
        except Stopped:
            noticed.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    _await_standstill(thread.ident)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped)
    )
    return noticed.wait(90)


def _await_standstill(thread: int | None) -> None:
    """Until a thread stays where it is; one that only seems to do so is interrupted there."""
    last, looks = None, 0
    while looks < 50:
        frame = sys._current_frames().get(thread)
        place = frame and (frame.f_code, frame.f_lasti)
        last, looks = place, looks + 1 if place == last else 0
        time.sleep(0.001)
