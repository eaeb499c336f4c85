"""Waiting until a service is ready."""

from __future__ import annotations

import time

from pytest_zlayer.services import conditions
from pytest_zlayer.services.errors import ServiceEnded, ServiceError, ServiceNotReady
from pytest_zlayer.services.health import Unhealthy
from pytest_zlayer.services.waited import Condition, Waited

_SHORTEST, _LONGEST, _GROWTH = 0.02, 1.0, 1.5


def default_condition(service: Waited) -> conditions.Condition:
    """HEALTHCHECK if the image has one, else its port, else that it has started."""
    probe = service.image.config.healthcheck
    if probe is not None and probe.test[:1] not in ((), ("NONE",)):
        return conditions.Healthcheck()
    return conditions.Port(None) if service.ports else conditions.Started()


def wait_until(service: Waited, condition: Condition, timeout: float) -> None:
    """Wait until a condition holds for a service.

    Raises:
        ServiceEnded: it ended before.
        ServiceNotReady: it did not within ``timeout`` seconds.
    """
    began = time.monotonic()
    wanted = conditions.shown(condition)
    look = conditions.begin(condition, service)
    pause = _SHORTEST
    while True:
        ended = not service.running
        reason = _looked(service, look, wanted, began, ended=ended)
        if reason is None:
            return
        if ended:
            raise ServiceEnded(service.name, service.exit_code or 0, wanted, service.log_text())
        left = began + timeout - time.monotonic()
        if left <= 0:
            raise _not_ready(service, wanted, began, reason)
        service.wait_ended(min(pause, left))
        pause = min(pause * _GROWTH, _LONGEST)


def _looked(
    service: Waited, look: conditions.Look, wanted: str, began: float, *, ended: bool
) -> str | None:
    try:
        return look()
    except Unhealthy as error:
        raise _not_ready(service, wanted, began, error.message) from None
    except ServiceError as error:  # nothing can be run in what has ended
        if ended or not service.running:
            return error.message
        raise


def _not_ready(service: Waited, wanted: str, began: float, reason: str) -> ServiceNotReady:
    seconds = time.monotonic() - began
    return ServiceNotReady(service.name, wanted, seconds, reason, service.log_text())
