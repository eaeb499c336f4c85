"""What is written before a command has begun: it may be the runtime's own, about a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pytest_zlayer.buildah.process.command import ByteSink, Request


class StartBuffer:
    """Holds back what a command writes until it has begun. Safe for several threads."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] | None = []
        self._guard = threading.Lock()

    def request(self, wanted: Request) -> Request:
        """``wanted``, whose output is passed on once its command has begun."""
        return replace(
            wanted,
            on_start=lambda _: self.release(),
            on_line=wanted.on_line and self._later(wanted.on_line),
            log=self._sink(wanted.log),
            stdout=self._sink(wanted.stdout),
            stderr=self._sink(wanted.stderr),
        )

    def release(self) -> None:
        """Pass on what there is, and all that comes."""
        with self._guard:
            calls, self._calls = self._calls or [], None
            for call in calls:
                call()

    def _later(self, call: Callable[..., object]) -> Callable[..., None]:
        def pass_on(*given: Any) -> None:
            with self._guard:
                if self._calls is not None:
                    self._calls.append(partial(call, *given))
                    return
            call(*given)

        return pass_on

    def _sink(self, sink: ByteSink | None) -> ByteSink | None:
        return None if sink is None else _Sink(self._later(sink.write))


class _Sink:
    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write
