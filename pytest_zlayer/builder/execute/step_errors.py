"""The errors of a stage's steps, with the place in the Dockerfile that each is about."""

from __future__ import annotations

from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.execute.mounts import MountRefused
from pytest_zlayer.builder.model.errors import TAIL_LINES, BuildError, FailedStep
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.dockerfile import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.errors import excerpt_line


class StepErrors:
    """Makes the errors of one stage of one build."""

    def __init__(self, build: Build, plan: StagePlan) -> None:
        self._build = build
        self._plan = plan

    def failure(
        self,
        step: Step,
        reason: str,
        *,
        hint: str | None = None,
        exit_code: int | None = None,
        attempts: int = 1,
        tail: tuple[str, ...] = (),
        final: bool = True,
    ) -> BuildError:
        """The error of a step, without what is to be hidden.

        Args:
            step: what has failed.
            reason, hint: why, and what to do about it.
            exit_code: the status of the command of a RUN.
            attempts: how often it was tried.
            tail: the last lines of its output.
            final: whether it is not tried again, so that it is kept for ``debug``.
        """
        span, hidden = step.instruction.span, self._build.masker.text
        dockerfile = self._build.plan.dockerfile
        lines = dockerfile.text.split("\n")[span.line - 1 : span.end_line] if dockerfile else ()
        failed = FailedStep(
            image=self._build.plan.label,
            dockerfile=self._build.plan.dockerfile_path,
            line=span.line,
            end_line=span.end_line,
            source_lines=tuple(excerpt_line(hidden(line)) for line in lines),
            stage=self._plan.label,
            text=hidden(step.text),
            exit_code=exit_code,
            attempts=attempts,
            tail=tuple(map(hidden, tail[-TAIL_LINES:])),
            log_path=str(self._build.log.path) if self._build.log.exists else None,
            debug_id=self._build.remember(self._plan, step) if final else None,
        )
        return BuildError(hidden(reason), failed, hint=hint and hidden(hint))

    def refusal(self, error: MountRefused) -> DockerfileError:
        """The error for something that is not available, with its place in the Dockerfile."""
        plan = self._build.plan
        return DockerfileError(
            [Diagnostic(error.message, error.span, error.hint)],
            phase="dispatch",
            text=plan.dockerfile.text if plan.dockerfile else "",
            filename=plan.dockerfile_path,
        )
