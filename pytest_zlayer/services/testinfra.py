"""Hosts of pytest-testinfra whose commands run in a container of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_zlayer.builder.image.results import RunResult
from pytest_zlayer.dockerfile.values.shells import DEFAULT_SHELL
from pytest_zlayer.errors import UsageError


def host_of(name: str, run: Callable[..., RunResult]) -> Any:
    """The host; ``run`` is the ``run`` of a container or service.

    Raises:
        UsageError: pytest-testinfra is not installed.
    """
    try:
        from testinfra.backend.base import BaseBackend
        from testinfra.host import Host
    except ImportError:
        raise UsageError(
            "testinfra() needs pytest-testinfra",
            hint="pip install 'pytest-zlayer[testinfra]'",
        ) from None

    class Backend(BaseBackend):  # type: ignore[misc]
        NAME = "zlayer"

        def run(self, command: str, *args: str, **_: Any) -> Any:
            line = self.get_command(command, *args)
            done = run((*DEFAULT_SHELL, line), check=False)
            return self.result(done.exit_code, self.encode(line), done.stdout, done.stderr)

    return Host(Backend(name))
