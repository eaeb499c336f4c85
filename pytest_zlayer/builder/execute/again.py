"""How the step at which a build has failed is run again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.process.command import ByteSink
from pytest_zlayer.builder.execute.output import LoggedStream
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.events import Event, StepStarted

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.buildah.run_request import RunRequest

# Variables by which programs know what can be drawn.
_OF_TERMINALS = ("TERM",)


class StandardStream:
    """A standard stream of this process, for bytes; its reader may have gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes, /) -> None:
        """Write all of ``data`` at once."""
        rest = memoryview(data)
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Debugging:
    """What a person wants to see of a step, and where.

    Attributes:
        opens_shell: a shell in the state before the step, instead of the step.
        terminal: our standard input and output are a terminal.
        stdout, stderr: get what the step writes, as bytes; not where the terminal does.
        say: shows a line about what is done.
        listen: receives the events of what has to be built before.
    """

    opens_shell: bool
    terminal: bool
    stdout: ByteSink
    stderr: ByteSink
    say: Callable[[str], None]
    listen: Callable[[Event], None]

    def run(self, engine: Engine, request: RunRequest, environment: Mapping[str, str]) -> int:
        """Run the step's command, or the shell in its place; the exit status.

        Args:
            engine: the engine.
            request: what to run where.
            environment: the process environment, for what a shell wants to know of the terminal.
        """
        if self.opens_shell:
            terminal = {name: environment[name] for name in _OF_TERMINALS if name in environment}
            request = replace(request, env={**terminal, **request.env})
            if self.terminal:
                return engine.run(replace(request, terminal="joined")).exit_code
            request = replace(request, stdin=0)
        # buildah adds a line of its own where a command has failed.
        stdout, stderr = LoggedStream(self.stdout.write), LoggedStream(self.stderr.write)
        done = engine.run(replace(request, stdout=stdout, stderr=stderr))
        stdout.finish(hide=False)
        stderr.finish(hide=done.exit_code != 0)
        return done.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """One step of one stage that is run again, and how.

    Attributes:
        stage: the index of its stage.
        number: its position there, from 1.
        text: the step on one line.
        key: the key of its layer when it failed.
        how: what is wanted.
    """

    stage: int
    number: int
    text: str
    key: str
    how: Debugging

    def check(self, plan: StagePlan) -> Step:
        """The step in the plan as it is now; with a line where something has changed since.

        Raises:
            UsageError: it is no longer there.
        """
        step = plan.steps[self.number - 1] if self.number <= len(plan.steps) else None
        if step is None or step.text != self.text:
            raise UsageError(
                f"{self.text!r} is no longer step {self.number} of stage {plan.label}",
                hint="its base image has changed: build again",
            )
        if step.key != self.key:
            self.how.say("what it reads has changed since it failed: it runs on what is there now")
        return step

    def listener(self, stage: str) -> Callable[[Event], None]:
        """Passes events on; before the first step a line says that it has to build up to here."""
        began = False

        def listen(event: Event) -> None:
            nonlocal began
            if isinstance(event, StepStarted) and not began:
                began = True
                if (event.stage, event.number) != (stage, self.number):
                    self.how.say("the state before the step is not in the store: building it first")
            self.how.listen(event)

        return listen
