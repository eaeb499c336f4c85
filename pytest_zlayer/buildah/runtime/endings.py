"""How processes end that have outlived their parents, as the first process of a container tells."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from pytest_zlayer.buildah.agent.launch.init import ENDED
from pytest_zlayer.buildah.agent.orphans import Orphans, first_of_namespace
from pytest_zlayer.buildah.process.command import OWN
from pytest_zlayer.buildah.process.output import LineSink

_EXITED = 1  # CLD_EXITED; everything else is a signal


class Endings:
    """Takes what the first process writes, and lets it go on.

    Args:
        sink: called with the stream ``zlayer`` and a line for each process that ends.
    """

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink
        self.stdin, self._answers = os.pipe2(os.O_CLOEXEC)
        self._orphans: Orphans | None = None
        self._guard = threading.Lock()
        self._rest = b""

    def begin(self, pid: int) -> None:
        """Takes the number of a process in the container."""
        self._orphans = Orphans(first_of_namespace(pid))

    def look(self) -> None:
        """Notes what there is to end: to be called when a command has left something running."""
        with self._guard:
            if self._orphans is not None:
                self._orphans.look()

    def write(self, data: bytes) -> None:
        """Takes what the first process writes."""
        data = self._rest + data
        end = len(data) - len(data) % ENDED.size
        self._rest = data[end:]
        for _, _, code, pid, _, status in ENDED.iter_unpack(data[:end]):
            self._tell(pid, status if code == _EXITED else -status)
            with suppress(OSError):  # the container has ended
                os.write(self._answers, b"\n")

    def _tell(self, pid: int, code: int) -> None:
        with self._guard:
            if self._orphans is None:
                return
            self._orphans.look()
            ending = self._orphans.ending(pid, code)
        self._sink(OWN, ending)

    def started(self) -> None:
        """The first process has its standard input, or never gets it."""
        os.close(self.stdin)

    def close(self) -> None:
        """The container has ended."""
        answers, self._answers = self._answers, -1
        if answers >= 0:
            os.close(answers)
