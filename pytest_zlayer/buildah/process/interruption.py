"""Ending the commands of one piece of work, whichever threads have given them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Command(Protocol):
    """A command that is running."""

    def interrupt(self) -> None:
        """Ends it."""
        ...


class Interruption:
    """Groups commands, to end those that are running and to refuse those to come.

    Args:
        threads: what differs from thread to thread.
        of_all: whether the commands of this group have been ended together with all others.
    """

    def __init__(self, threads: threading.local, of_all: Callable[[Interruption], bool]) -> None:
        self._threads = threads
        self._of_all = of_all
        self._running: set[Command] = set()
        self._guard = threading.Lock()
        self._requested = False

    @contextmanager
    def covering(self) -> Iterator[None]:
        """The commands that this thread gives in the block belong to the group."""
        before = current(self._threads)
        self._threads.interruption = self
        try:
            yield
        finally:
            self._threads.interruption = before

    @contextmanager
    def including(self, command: Command) -> Iterator[None]:
        """This command belongs to the group while it runs."""
        with self._guard:
            self._running.add(command)
        try:
            yield
        finally:
            with self._guard:
                self._running.discard(command)

    def end_if_over(self, command: Command) -> None:
        """Ends a command that has begun after the group was ended."""
        if self._requested or self._of_all(self):
            command.interrupt()

    def __contains__(self, command: Command) -> bool:
        with self._guard:
            return command in self._running

    def request(self) -> None:
        """Ends the commands; for good."""
        self._requested = True
        with self._guard:
            running = list(self._running)
        for command in running:
            command.interrupt()


def current(threads: threading.local) -> Interruption | None:
    """The group that the commands of this thread belong to, if any."""
    found: Interruption | None = getattr(threads, "interruption", None)
    return found
