"""The conditions that services are waited for."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import TypeAlias
from urllib.parse import quote

from pytest_zlayer.builder.image.log import Stream
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.services.health import HealthWatch
from pytest_zlayer.services.waited import Condition as Anything
from pytest_zlayer.services.waited import Waited

# A look at a service: ``None`` when it is ready, else why it is not.
Look: TypeAlias = "Callable[[], str | None]"
# Seconds one connection or request may take.
_PATIENCE = 5.0
# What may stand in the path of a request; other characters are written as browsers do.
_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"


@dataclass(frozen=True)
class Condition:
    """Something that becomes true of a service; ``str`` says what."""

    def __call__(self, service: Waited) -> bool:
        """Whether it is so now."""
        return self.begin(service)() is None

    def begin(self, service: Waited) -> Look:
        """What looks at a service again and again while it is waited for."""
        raise NotImplementedError

    @property
    def may_end(self) -> bool:
        """Whether it can be true of a service that has ended."""
        return False


@dataclass(frozen=True)
class Port(Condition):
    number: int | None

    def __str__(self) -> str:
        return "its port" if self.number is None else f"port {self.number}"

    def begin(self, service: Waited) -> Look:
        host, number = service.address(self.number)
        inside = service.port_inside(self.number)

        def look() -> str | None:
            addresses = service.listening(inside)
            if addresses == []:
                return f"nothing listens on port {inside}"
            if inside.kind == "udp":
                return None
            try:
                socket.create_connection((host, number), _PATIENCE).close()
            except OSError as error:
                return _not_connected(error, f"port {inside}", addresses)
            return None

        return look


def _not_connected(error: OSError, what: str, addresses: list[str] | None) -> str:
    reason = f"{what}: {error.strerror or error}"
    if addresses and all(one.startswith("127.") or one == "::1" for one in addresses):
        reason += f" (inside it listens on {', '.join(addresses)} only; let it listen on 0.0.0.0)"
    return reason


@dataclass(frozen=True)
class Http(Condition):
    path: str
    number: int | None
    statuses: tuple[int, ...]

    def __str__(self) -> str:
        where = "" if self.number is None else f" on port {self.number}"
        return f"GET {self.path}{where} with status {' or '.join(map(str, self.statuses))}"

    def begin(self, service: Waited) -> Look:
        host, number = service.address(self.number)

        def look() -> str | None:
            connection = HTTPConnection(host, number, timeout=_PATIENCE)
            try:
                connection.request("GET", quote(self.path, safe=_AS_IT_IS))
                status = connection.getresponse().status
            except (OSError, HTTPException) as error:
                return f"GET {self.path}: {str(error) or type(error).__name__}"
            finally:
                connection.close()
            return None if status in self.statuses else f"GET {self.path}: status {status}"

        return look


@dataclass(frozen=True)
class Log(Condition):
    pattern: re.Pattern[str] | str
    stream: Stream | None

    def __str__(self) -> str:
        text = self.pattern if isinstance(self.pattern, str) else self.pattern.pattern
        return f"{text!r} in its {'log' if self.stream is None else self.stream}"

    def begin(self, service: Waited) -> Look:
        def look() -> str | None:
            lines = service.lines_since_start()
            chosen = [one.text for one in lines if self.stream in (None, one.stream)]
            return None if any(map(self._found, chosen)) else "not in its log yet"

        return look

    def _found(self, line: str) -> bool:
        if not isinstance(self.pattern, str):
            return self.pattern.search(line) is not None
        return self.pattern in line or re.search(self.pattern, line) is not None


@dataclass(frozen=True)
class Healthcheck(Condition):
    def __str__(self) -> str:
        return "a healthy HEALTHCHECK"

    def begin(self, service: Waited) -> Look:
        probe = service.image.config.healthcheck
        if probe is None or probe.test[:1] in ((), ("NONE",)):
            raise UsageError(
                f"{service.image.label} has no HEALTHCHECK",
                hint="wait for ready.port(), ready.http(), ready.log() or ready.command()",
            )
        return HealthWatch(service, probe).look


@dataclass(frozen=True)
class Command(Condition):
    words: str | tuple[str, ...]

    def __str__(self) -> str:
        text = self.words if isinstance(self.words, str) else " ".join(self.words)
        return f"{text!r} with exit code 0"

    def begin(self, service: Waited) -> Look:
        def look() -> str | None:
            done = service.run(self.words, check=False)
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            why = f"exit code {done.exit_code}" + "".join(f": {line}" for line in said)
            return None if done.exit_code == 0 else why

        return look


@dataclass(frozen=True)
class Exited(Condition):
    code: int

    @property
    def may_end(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"its end with exit code {self.code}"

    def begin(self, service: Waited) -> Look:
        def look() -> str | None:
            code = service.exit_code
            if code is None:
                return "it is still running"
            return None if code == self.code else f"it ended with exit code {code}"

        return look


@dataclass(frozen=True)
class All(Condition):
    these: tuple[Anything, ...]

    @property
    def may_end(self) -> bool:
        return any(isinstance(one, Condition) and one.may_end for one in self.these)

    def __str__(self) -> str:
        return ", ".join(map(shown, self.these)) or "nothing"

    def begin(self, service: Waited) -> Look:
        left = [(shown(one), begin(one, service)) for one in self.these]

        def look() -> str | None:
            while left:
                what, first = left[0]
                reason = first()
                if reason is not None:
                    return f"{what}: {reason}"
                del left[0]
            return None

        return look


@dataclass(frozen=True)
class Started(Condition):
    """Nothing more than that it has been started."""

    def __str__(self) -> str:
        return "its start"

    def begin(self, service: Waited) -> Look:  # noqa: ARG002 (it has been started)
        return lambda: None


def shown(condition: Anything) -> str:
    """A condition in words, also one that is a function."""
    if isinstance(condition, Condition):
        return str(condition)
    return f"{getattr(condition, '__name__', repr(condition))}(service)"


def begin(condition: Anything, service: Waited) -> Look:
    """What looks whether a condition holds, also one that is a function."""
    if isinstance(condition, Condition):
        return condition.begin(service)

    def look() -> str | None:
        answer: object = condition(service)
        if isinstance(answer, Condition):
            raise UsageError(
                f"{shown(condition)} returned a condition", hint="give the condition itself"
            )
        return None if answer else "it returned a false value"

    return look
