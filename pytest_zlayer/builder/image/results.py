"""The results of builds, steps and commands."""

from __future__ import annotations

import shlex
from pathlib import Path

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import ZlayerError


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one instruction.

    Attributes:
        stage: label of its stage.
        number: position in the stage, from 1.
        text: the instruction on one line.
        line: first line in the Dockerfile.
        cached: taken from the cache, not run.
        attempts: how often it was run (0 when cached; more than 1 after retries).
        seconds: how long it took.
    """

    stage: str
    number: int
    text: str
    line: int
    cached: bool
    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BuildResult:
    """How an image was built: its steps, seconds in all, and the log file if there is output."""

    steps: tuple[StepResult, ...] = ()
    seconds: float = 0.0
    log: Path | None = None

    @property
    def cached(self) -> bool:
        """Whether no step that makes a layer had to run."""
        return all(step.cached or step.seconds == 0.0 for step in self.steps)

    @property
    def retries(self) -> int:
        """Attempts beyond the first, over all steps."""
        return sum(max(step.attempts - 1, 0) for step in self.steps)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a command in an image did; ``duration`` is seconds.

    ``stdout`` and ``stderr`` are what it wrote; bytes that are not UTF-8 become U+FFFD.
    """

    exit_code: int
    stdout: str
    stderr: str
    duration: float
    argv: tuple[str, ...] = ()


class CommandFailed(ZlayerError):
    """A command run with ``check=True`` ended with a status other than 0; see ``result``."""

    def __init__(self, image: str, result: RunResult) -> None:
        self.result = result
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-40:])
        shown = shlex.join(result.argv)
        super().__init__(f"{shown} in {image} exited with {result.exit_code}\n{tail}".rstrip())
