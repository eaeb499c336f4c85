"""When a service is ready: conditions for ``Image.serve(ready=…)`` and ``Service.wait``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.image.log import Stream
from pytest_zlayer.errors import UsageError
from pytest_zlayer.services import conditions
from pytest_zlayer.services.arguments import check_condition, check_words

if TYPE_CHECKING:
    from pytest_zlayer.services.running import Service

__all__ = ["all", "command", "exited", "healthcheck", "http", "log", "port"]


def port(number: int | None = None) -> conditions.Condition:
    """Something listens on a port (one of the container's; by default the main one)."""
    __tracebackhide__ = True
    _check_port("ready.port", number)
    return conditions.Port(number)


def http(
    path: str = "/", *, port: int | None = None, status: int | Collection[int] = 200
) -> conditions.Condition:
    """A GET request is answered with this status, or with one of several."""
    __tracebackhide__ = True
    _check_path(path)
    _check_port("ready.http", port)
    statuses = _statuses(status)
    return conditions.Http(path if path.startswith("/") else f"/{path}", port, statuses)


def log(pattern: str | re.Pattern[str], *, stream: Stream | None = None) -> conditions.Condition:
    """A line since its start holds this text, or matches this regular expression somewhere."""
    __tracebackhide__ = True
    if stream not in (None, "stdout", "stderr"):
        raise UsageError(f"ready.log: stream must be stdout or stderr, not {stream!r}")
    text = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    if not isinstance(text, str):
        raise UsageError(f"ready.log: {text!r} is neither a text nor a pattern of one")
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
    __tracebackhide__ = True
    words = check_words(cmd)
    return conditions.Command(cmd if isinstance(cmd, str) else words)


def exited(code: int = 0) -> conditions.Condition:
    """It has ended by itself with this exit code: for containers that run once."""
    __tracebackhide__ = True
    _check_number("ready.exited: an exit code", code, 0, 255)
    return conditions.Exited(code)


def all(*these: Callable[[Service], bool]) -> conditions.Condition:  # noqa: A001 (public name)
    """Each of these, one after the other."""
    __tracebackhide__ = True
    for one in these:
        check_condition(one, "each argument of ready.all")
    return conditions.All(these)


def _check_path(path: Any) -> None:
    __tracebackhide__ = True
    if not isinstance(path, str) or re.match(r"\w+://", path):
        raise UsageError(f"ready.http: {path!r} is not a path", hint="such as /health")


def _statuses(status: Any) -> tuple[int, ...]:
    __tracebackhide__ = True
    is_one = isinstance(status, str) or not isinstance(status, Collection)
    found = (status,) if is_one else tuple(status)
    for one in found or [status]:
        _check_number("ready.http: a status", one, 100, 599)
    return found


def _check_port(what: str, number: Any) -> None:
    __tracebackhide__ = True
    if number is not None:
        _check_number(f"{what}: a port", number, 1, 65_535)


def _check_number(what: str, value: Any, lowest: int, highest: int) -> None:
    __tracebackhide__ = True
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise UsageError(f"{what} must be a number from {lowest} to {highest}, not {value!r}")
