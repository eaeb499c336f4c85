"""Running podman on the storage of the images."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_zlayer.buildah.agent.short_path import ShortPath
from pytest_zlayer.buildah.errors import EngineError, EngineTimeout
from pytest_zlayer.buildah.failures import Failure, FailureKind
from pytest_zlayer.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.buildah.process.command import Completed

# Seconds for everything but what runs inside a container.
_PATIENCE = 120.0
_NOT_KNOWN = ("no such container", "no such object", "network not found", "unable to find network")


@dataclass(frozen=True, slots=True)
class Podman:
    """podman, ready to be given commands.

    Attributes:
        engine: under whose agent it runs.
        argv: the program with its global options.
        env: variables on top of those that all commands get.
        runroot: what names the state of the storage.
        own: whether it has places of its own for this storage.
    """

    engine: Engine
    argv: tuple[str, ...]
    env: Mapping[str, str]
    runroot: ShortPath
    own: bool

    def environment(self) -> dict[str, str]:
        """Its whole environment; a remote podman is never asked."""
        known = self.engine.process_environment()
        return {
            # podman 5 warns of that in what commands write, on machines that cannot change it.
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
            **{name: one for name, one in known.items() if not name.startswith("CONTAINER_")},
            **self.env,
        }

    def call(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        timeout: float | None = _PATIENCE,
        **more: Any,
    ) -> Completed:
        """Run a command, whatever its status."""
        whole = {**(env or {}), **self.environment()}
        return self.engine.process(
            [*self.argv, *words], env=whole, timeout=timeout, whole=True, **more
        )

    def output(self, *words: str, **more: Any) -> str:
        """What a command prints.

        Raises:
            EngineError: it failed.
        """
        captured = io.BytesIO()
        done = self.call(*words, stdout=captured, **more)
        if done.timed_out:
            raise EngineTimeout(
                Failure("timeout", f"podman {words[0]} did not end within {done.seconds:.0f} s"),
                command=done.argv,
            )
        if done.exit_code != 0:
            raise self.failed(done, words)
        return captured.getvalue().decode("utf-8", "replace")

    def inspect(self, container: str) -> dict[str, Any]:
        """All about a container."""
        found: list[dict[str, Any]] = json.loads(
            self.output("container", "inspect", container, brief=True)
        )
        return found[0]

    @staticmethod
    def failed(done: Completed, words: Sequence[str]) -> EngineError:
        """The error for a command that ended badly."""
        kind: FailureKind = "permanent" if done.killed_by_signal is None else "crash"
        failure = Failure(kind, f"podman {words[0]} failed: {reason_of(done)}")
        return EngineError(
            failure, command=done.argv, exit_code=done.exit_code, stderr=done.stderr_tail
        )


def reason_of(done: Completed) -> str:
    """Why a command of podman failed, in its own words."""
    said = [line.strip() for line in done.stderr_tail if line.strip()]
    begins = [number for number, line in enumerate(said) if line.startswith("Error: ")]
    if not begins:
        return (said or [f"exit status {done.exit_code}"])[-1]
    error, *details = said[begins[-1] :]
    error = error.removeprefix("Error: ")
    # What pasta has said stands in lines of its own.
    return f"{error} {'; '.join(details)}" if error.endswith(":") else error


def says_not_known(error: EngineError) -> bool:
    """Whether podman does not know what a command named."""
    text = "\n".join(error.stderr)
    return any(one in text for one in _NOT_KNOWN)
