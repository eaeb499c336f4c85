"""What can go wrong with a service, as exceptions."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from pytest_zlayer.errors import ZlayerError

LOG_LINES = 40


class ServiceError(ZlayerError):
    """A service could not be started, or does not do what was waited for."""


class ServiceRefused(ServiceError):
    """The engine has no way to do what was asked; the message says what would."""


class ServiceEnded(ServiceError):
    """A service ended before it was ready.

    Attributes:
        exit_code: its status; 128 + n when signal n ended it.
    """

    def __init__(self, name: str, exit_code: int, wanted: str, log: Sequence[str]) -> None:
        self.exit_code = exit_code
        head = f"service {name} ended before it was ready: {ending(exit_code)}"
        super().__init__("\n".join([head, f"  waited for: {wanted}", *log_section(log)]))


class ServiceNotReady(ServiceError):
    """A service runs, and what was waited for did not come."""

    def __init__(
        self, name: str, wanted: str, seconds: float, reason: str, log: Sequence[str]
    ) -> None:
        head = f"service {name} was not ready after {seconds:.1f} s"
        lines = [head, f"  waited for: {wanted}", *([f"  last check: {reason}"] if reason else [])]
        super().__init__("\n".join([*lines, *log_section(log)]))


def ending(exit_code: int) -> str:
    """How something ended, in words."""
    try:
        number = signal.Signals(exit_code - 128)
    except ValueError:
        return f"exit code {exit_code}"
    return f"exit code {exit_code} (killed by {number.name})"


def log_section(log: Sequence[str]) -> list[str]:
    """The last lines of a log with a heading."""
    if not log:
        return ["  its log is empty"]
    shown = log[-LOG_LINES:]
    what = "the log:" if len(shown) == len(log) else f"the last {len(shown)} lines of its log:"
    return [f"  {what}", *(f"    {line}" for line in shown)]
