"""RUN: attempts in clean containers, retried as the policy says, committed on success."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from pytest_zlayer.buildah.commands.disks import full_disk
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.builder.execute.again import Debugging
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.execute.mount_points import (
    ENGINE_MOUNTS,
    existing_parents,
    missing,
    refuse_links,
)
from pytest_zlayer.builder.execute.mounts import MountPreparer, PreparedMounts
from pytest_zlayer.builder.execute.output import StepOutput
from pytest_zlayer.builder.execute.stage_files import StageFiles
from pytest_zlayer.builder.model.builder_args import sandbox_hostname
from pytest_zlayer.builder.model.errors import TAIL_LINES, BuildError
from pytest_zlayer.builder.model.retry_policy import RetryPolicy
from pytest_zlayer.builder.plan.steps import Step
from pytest_zlayer.builder.retry import with_retries
from pytest_zlayer.dockerfile.dispatch.instruction import proxy_args
from pytest_zlayer.dockerfile.operations.kinds import RunOperation
from pytest_zlayer.events import StepRetry

NOT_RETRIED = (126, 127)  # cannot execute, not found: trying again cannot help


class StepFailed(Exception):
    """One attempt of a RUN ended with a failure of its command.

    ``complaint`` is the last line that it wrote to standard error.
    """

    def __init__(
        self,
        reason: str,
        exit_code: int | None,
        tail: tuple[str, ...],
        *,
        final: bool = False,
        hint: str | None = None,
        complaint: str = "",
    ) -> None:
        super().__init__(f"{reason}: {complaint}" if complaint else reason)
        self.reason = reason
        self.exit_code = exit_code
        self.tail = tail
        self.final = final
        self.hint = hint


class RunStep:
    """Executes one RUN on the files of its stage.

    Args:
        user: who runs it, as numbers where possible.
        failure: makes the ``BuildError`` of this step: ``(reason, **details) -> BuildError``.
        emit: sends an event with the stage filled in.
        slot: holds one of the session's slots.
    """

    def __init__(
        self,
        build: Build,
        files: StageFiles,
        mounts: MountPreparer,
        step: Step,
        operation: RunOperation,
        *,
        user: str,
        failure: Callable[..., BuildError],
        emit: Callable[..., None],
        slot: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._build = build
        self._files = files
        self._mounts = mounts
        self._step = step
        self._operation = operation
        self._failure = failure
        self._emit = emit
        self._slot = slot
        self._user = user
        self._policy = _policy(build)
        self._attempts = 0
        self._left: str | None = None

    def execute(self) -> int:
        """Run until it succeeds or attempts are used up; the number of attempts it took.

        Raises:
            BuildError: the last attempt failed.
        """
        policy = self._policy
        try:
            with_retries(
                self._attempt,
                policy,
                worth=self._worth,
                announce=lambda error, number, delay: self._emit(
                    StepRetry,
                    number=self._step.number,
                    text=self._step.text,
                    line=self._step.instruction.span.line,
                    attempt=number,
                    attempts=policy.retries + 1,
                    delay=delay,
                    reason=str(error),
                ),
                stop=self._build.stop,
            )
        except StepFailed as failed:
            raise self._left_by(failed) from None
        except EngineError as error:
            self._build.check()  # an interruption is no failure of the step
            tail = error.stderr[-TAIL_LINES:]
            trouble = StepFailed(error.message, None, tail, hint=error.hint)
            raise self._left_by(trouble) from error
        return self._attempts

    def again(self, how: Debugging, shell: str | None) -> int:
        """Run the command once more in a container that is given up then; its exit status.

        Args:
            how: where its output goes.
            shell: a shell that takes its place, with all that it would have.

        Raises:
            UsageError: a secret or an agent cannot be had.
        """
        container = self._files.open()
        try:
            mounts = self._mounts.prepare(self._operation, self._build.engine.isolation)
            with mounts.undo:
                self._mount_points(mounts)
                request = self._request(container, mounts, shell)
                return how.run(self._build.engine, request, self._build.options.environment)
        finally:
            self._files.abandon()

    def _to_error(self, failed: StepFailed, *, final: bool = True) -> BuildError:
        return self._failure(
            self._step,
            failed.reason,
            hint=failed.hint,
            exit_code=failed.exit_code,
            attempts=self._attempts,
            tail=failed.tail,
            final=final,
        )

    def _worth(self, error: BaseException, number: int, seconds: float) -> bool:
        if not isinstance(error, StepFailed) or error.final:
            return False
        verdict = self._build.may_retry(self._step.text, number, self._to_error(error, final=False))
        again = error.exit_code not in NOT_RETRIED if verdict is None else verdict
        return again and self._build.spend(seconds)

    def _attempt(self, number: int) -> None:
        """One attempt; when buildah itself breaks down, once more from a clean state."""
        self._attempts = number
        try:
            self._run_and_commit()
        except EngineError as error:
            if not error.failure.may_pass:
                raise
            self._run_and_commit()

    def _run_and_commit(self) -> None:
        self._build.check()
        with self._slot():
            container = self._files.open()
            try:
                mounts = self._mounts.prepare(self._operation, self._build.engine.isolation)
                with mounts.undo:
                    points = self._mount_points(mounts)
                    restored = existing_parents(self._files.rootfs(), points)
                    self._execute(container, mounts)
                self._files.remove_empty(points)
                self._files.take(self._step, restored)
            except BaseException:
                self._left = container
                self._files.abandon()
                raise

    def _mount_points(self, mounts: PreparedMounts) -> tuple[str, ...]:
        """Put the mounts where they belong; the mount points the image does not have yet."""
        rootfs = self._files.rootfs()
        refuse_links(rootfs)
        mounts.follow_links(rootfs)
        return missing(rootfs, [*ENGINE_MOUNTS, *mounts.targets])

    def _left_by(self, failed: StepFailed) -> BuildError:
        """The error of the last attempt, whose container is kept if that is wanted."""
        error = self._to_error(failed)
        if self._left is not None and self._build.keep_container(self._left, error):
            self._build.views.release(self._left)
        return error

    def _execute(self, container: str, mounts: PreparedMounts) -> None:
        output = StepOutput(self._step, self._build.log, self._emit)
        with output:
            request = replace(
                self._request(container, mounts),
                on_line=output.line,
                stdout=output.stdout,
                stderr=output.stderr,
                timeout=self._build.time_left(),
            )
            done = self._build.engine.run(request)
            output.failed = done.exit_code != 0
        if done.timed_out:
            reason = f"it was stopped after {done.seconds:.1f} s: {self._build.limit_text()}"
            raise StepFailed(reason, None, output.tail(), final=True)
        if done.killed_by_signal:
            reason = f"the command was killed by signal {done.killed_by_signal}"
            raise StepFailed(reason, done.exit_code, output.tail(), complaint=output.complaint)
        if done.exit_code != 0:
            reason = f"the command exited with {done.exit_code}"
            engine = self._build.engine
            full = full_disk([engine.storage.root, engine.storage.runroot, engine.tmpdir])
            hint = full.message if full else None
            raise StepFailed(
                reason, done.exit_code, output.tail(), hint=hint, complaint=output.complaint
            )

    def _request(
        self, container: str, mounts: PreparedMounts, shell: str | None = None
    ) -> RunRequest:
        operation = self._operation
        shown, hidden = self._variables()
        return RunRequest(
            container,
            (shell,) if shell is not None else mounts.argv or operation.argv,
            env={**shown, **mounts.env},
            hidden_env={**hidden, **mounts.hidden_env},
            user=self._user,
            workdir=operation.workdir,
            volumes=mounts.volumes,
            tmpfs=mounts.tmpfs,
            network=operation.network,
            hostname=sandbox_hostname(self._build.plan.spec.build_args),
        )

    def _variables(self) -> tuple[dict[str, str], dict[str, str]]:
        """What the command sees: what everybody may read on a command line, and the rest.

        Build arguments that were given may be tokens, and addresses of proxies hold passwords.
        """
        operation, given = self._operation, self._build.plan.spec.build_args
        hidden = {name: value for name, value in operation.args.items() if name in given}
        shown = {name: value for name, value in operation.env.items() if name not in hidden}
        return shown, {**hidden, **proxy_args(given)}


def _policy(build: Build) -> RetryPolicy:
    options = build.options
    return RetryPolicy(
        retries=build.plan.spec.retries or 0,
        delay=options.retry_delay,
        backoff=options.retry_backoff,
        max_delay=options.retry_max_delay,
    )
