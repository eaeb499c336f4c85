"""What a step waits for: reported when a wait begins and when it ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.events import Waiting, WaitOver, WaitReason

_SLOT = "a free slot to run a step (--zlayer-jobs)"


class Waits:
    """The waiting of one step.

    Args:
        emit: sends an event with the stage filled in.
        number: of the step.

    Attributes:
        seconds: how long it waited in all.
    """

    def __init__(self, emit: Callable[..., None], number: int) -> None:
        self._emit = emit
        self._number = number
        self.seconds = 0.0

    def begin(self, what: str, reason: WaitReason) -> Callable[[], None]:
        """It waits for ``what``; what is returned is to be called when that is over."""
        started = time.monotonic()
        fields: dict[str, Any] = {"what": what, "reason": reason, "number": self._number}
        self._emit(Waiting, **fields)

        def over() -> None:
            seconds = time.monotonic() - started
            self.seconds += seconds
            self._emit(WaitOver, **fields, seconds=seconds)

        return over

    @contextlib.contextmanager
    def slot(self, build: Build) -> Iterator[None]:
        """Hold a slot of ``build``."""
        over: list[Callable[[], None]] = []

        def waiting() -> None:
            if not over:
                over.append(self.begin(_SLOT, "slot"))

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(build.slot(waiting))
            finally:
                for end in over:
                    end()
            yield

    @contextlib.contextmanager
    def stage(self, label: str | None) -> Iterator[None]:
        """While the stage ``label`` is waited for; ``None``: it is there already."""
        over = None if label is None else self.begin(f"stage {label}", "stage")
        try:
            yield
        finally:
            if over is not None:
                over()
