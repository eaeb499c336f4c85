"""When a service is ready: conditions for ``Image.serve(ready=…)`` and ``Service.wait``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from pytest_zlayer.errors import UsageError
from pytest_zlayer.services import conditions
from pytest_zlayer.services.log import Stream

if TYPE_CHECKING:
    from pytest_zlayer.services.running import Service

__all__ = ["all", "command", "exited", "healthcheck", "http", "log", "port"]


def port(number: int | None = None) -> conditions.Condition:
    """Something listens on a port (one of the container's; by default the main one)."""
    return conditions.Port(number)


def http(
    path: str = "/", *, port: int | None = None, status: int | Collection[int] = 200
) -> conditions.Condition:
    """A GET request is answered with this status, or with one of several."""
    statuses = (status,) if isinstance(status, int) else tuple(status)
    return conditions.Http(path if path.startswith("/") else f"/{path}", port, statuses)


def log(pattern: str | re.Pattern[str], *, stream: Stream | None = None) -> conditions.Condition:
    """A line since its start holds this text, or matches this regular expression somewhere."""
    if stream not in (None, "stdout", "stderr"):
        raise UsageError(f"stream must be stdout or stderr, not {stream!r}")
    if isinstance(pattern, str):
        try:
            re.compile(pattern)
        except re.error:
            pattern = re.compile(re.escape(pattern))
    return conditions.Log(pattern, stream)


def healthcheck() -> conditions.Condition:
    """The HEALTHCHECK of the image succeeds."""
    return conditions.Healthcheck()


def command(cmd: str | Sequence[str]) -> conditions.Condition:
    """A command run inside ends with exit code 0; a string goes to the image's shell."""
    return conditions.Command(cmd if isinstance(cmd, str) else tuple(cmd))


def exited(code: int = 0) -> conditions.Condition:
    """It has ended by itself with this exit code: for containers that run once."""
    return conditions.Exited(code)


def all(*these: Callable[[Service], bool]) -> conditions.Condition:  # noqa: A001 (public name)
    """Each of these, one after the other."""
    return conditions.All(these)
