"""Building ahead: images that will be needed are built in the background, in that order."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.waiting import join

_LOOKING = 0.1  # seconds


class Prebuild:
    """Threads that build one declaration after the other until they are to stop.

    Args:
        threads: how many build side by side.
    """

    def __init__(self, threads: int) -> None:
        self._queue: deque[ImageSpec] = deque()
        self._stopped = False
        self._size = threads
        self._threads: list[threading.Thread] = []

    @property
    def busy(self) -> bool:
        """Whether something is being built."""
        return any(thread.is_alive() for thread in self._threads)

    def start(self, build: Callable[[ImageSpec], object], specs: Iterable[ImageSpec]) -> None:
        """Begin to ``build`` each of ``specs``, in their order; errors are swallowed here."""
        self._queue.extend(specs)
        for number in range(min(self._size, len(self._queue))):
            name = f"zlayer-ahead-{number}"
            thread = threading.Thread(target=self._work, args=(build,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, build: Callable[[ImageSpec], object]) -> None:
        while not self._stopped:
            try:
                spec = self._queue.popleft()
            except IndexError:
                return
            with contextlib.suppress(BaseException):  # raised where a test asks for the image
                build(spec)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True
        self._queue.clear()

    def join_while(self, worth: Callable[[], bool]) -> None:
        """Wait for what was begun as long as that is ``worth`` it."""
        while self.busy and worth():
            time.sleep(_LOOKING)

    def join(self) -> None:
        """Wait for what was begun."""
        for thread in self._threads:
            join(thread)
