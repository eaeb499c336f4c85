"""HEALTHCHECK, run by this package: no engine needs a timer of its own for it."""

from __future__ import annotations

import time

from pytest_zlayer.buildah.errors import EngineTimeout
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.services.errors import ServiceError
from pytest_zlayer.services.waited import Waited

# What the Dockerfile reference gives as defaults, in seconds.
_INTERVAL, _TIMEOUT, _RETRIES = 30.0, 30.0, 3
_NANO = 1e9


class Unhealthy(ServiceError):
    """A HEALTHCHECK has failed as often as it may."""


class HealthWatch:
    """One service's health while it is waited for.

    A check that succeeds is enough, so checks come as fast as one looks. One that fails counts only
    as docker would count it: after the start period, and once an interval.
    """

    def __init__(self, service: Waited, probe: HealthProbe) -> None:
        self._service = service
        self._probe = probe
        self._interval = probe.interval / _NANO or _INTERVAL
        self._grace_ends = service.started_at + probe.start_period / _NANO
        self._counts_at = max(time.monotonic(), self._grace_ends)
        self._failures = 0

    def look(self) -> str | None:
        """Check once; why it is not healthy yet.

        Raises:
            Unhealthy: it has failed too often.
        """
        reason = self._check()
        now = time.monotonic()
        if reason is None or now < self._counts_at:
            return reason
        self._failures += 1
        self._counts_at = now + self._interval
        if self._failures >= (self._probe.retries or _RETRIES):
            raise Unhealthy(f"unhealthy: HEALTHCHECK failed {self._failures} times: {reason}")
        return reason

    def _check(self) -> str | None:
        kind, *words = self._probe.test
        command = words[0] if kind == "CMD-SHELL" else words
        seconds = self._probe.timeout / _NANO or _TIMEOUT
        try:
            done = self._service.run(command, check=False, timeout=seconds)
        except EngineTimeout:
            return f"HEALTHCHECK did not end within {seconds:g} s"
        if done.exit_code == 0:
            return None
        said = (done.stdout + done.stderr).strip().splitlines()[-1:]
        return f"HEALTHCHECK ended with exit code {done.exit_code}" + "".join(
            f": {line}" for line in said
        )
