"""Builds one stage: takes over the deepest cached step, then performs what is left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_zlayer.builder.cache.entries import CachedLayers
from pytest_zlayer.builder.copy import CopyError, lookup_user
from pytest_zlayer.builder.execute.again import Debugging
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.execute.cached_steps import (
    cached_layers,
    cached_result,
    deepest_cached,
    step_fields,
)
from pytest_zlayer.builder.execute.copy_step import CopyStep, StageSources
from pytest_zlayer.builder.execute.emulation import can_execute
from pytest_zlayer.builder.execute.mounts import MountPreparer, MountRefused
from pytest_zlayer.builder.execute.run_step import RunStep
from pytest_zlayer.builder.execute.stage_files import SCRATCH, StageFiles
from pytest_zlayer.builder.execute.step_errors import StepErrors
from pytest_zlayer.builder.execute.waits import Waits
from pytest_zlayer.builder.image.results import StepResult
from pytest_zlayer.builder.image.shell import find_shell
from pytest_zlayer.builder.model.errors import REFUSALS, BuildError, machine_trouble
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.dockerfile.operations.kinds import (
    CopyOperation,
    MetadataOperation,
    RunOperation,
    SourceRef,
    WorkdirOperation,
)
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.events import (
    LayersMissed,
    StageComplete,
    StageStarted,
    StepComplete,
    StepFailed,
    StepStarted,
)


class StageExecutor:
    """One stage of one build.

    Args:
        build: what all stages of the build share.
        plan: the stage's steps.
        files: what the stage begins with.
        sources: what its steps copy and mount from.
        successor: whether another stage goes on in its container.
        wanted: whether another stage is built from it.
        alone: whether its layers reach the store with the final image first.
        cached: the last step of which the layer was in the cache just now, and where.
    """

    def __init__(
        self,
        build: Build,
        plan: StagePlan,
        files: StageFiles,
        sources: StageSources,
        *,
        successor: bool,
        wanted: bool,
        alone: bool,
        cached: tuple[int, CachedLayers] | None,
    ) -> None:
        self.plan = plan
        self.files = files
        self._successor = successor
        self._wanted = wanted
        self._alone = alone
        self._cached = cached
        self._build = build
        self._sources = sources
        self._errors = StepErrors(build, plan)
        self._waits = Waits(self._emit, 0)
        self._results: list[StepResult] = []
        self._root_user: str | None = None
        self._mounts = MountPreparer(
            scratch=build.make_scratch,
            caches=build.cache.mounts_directory,
            source_path=self._mounted_path,
            build_args=build.plan.spec.build_args,
            wording=build.options.wording,
            secrets=build.plan.spec.secrets,
            ssh=build.plan.spec.ssh,
            environment=build.options.environment,
            process=build.engine.process,
            check=build.check,
        )

    @property
    def results(self) -> tuple[StepResult, ...]:
        """What became of each step so far."""
        return tuple(self._results)

    def execute(self) -> None:
        """Perform every step that is not cached.

        Raises:
            BuildError: a step failed.
            EngineError: the engine itself failed.
            Interrupted, BuildTimeout: the build was stopped.
        """
        started = time.monotonic()
        plan = self.plan
        base = plan.base.id[:12] if plan.base else SCRATCH
        self._emit(StageStarted, base=base, steps=len(plan.steps), index=plan.index)
        try:
            done = self._adopt(0, self._cached)
            self._tell_miss(done)
            while done < len(plan.performed):
                self._build.check()
                self._perform(plan.steps[done])
                done += 1
                if self._results[-1].cached:  # somebody else has built it meanwhile, or more
                    done = self._adopt_cached(done)
            self.files.finish(successor=self._successor, wanted=self._wanted, alone=self._alone)
        except BaseException as error:
            self.files.layers.save(at_once=not isinstance(error, BuildError))
            raise
        self._emit(StageComplete, index=plan.index, seconds=time.monotonic() - started)

    def _adopt_cached(self, done: int) -> int:
        """Take over the deepest cached step after the first ``done``; how many are done then."""
        return self._adopt(done, deepest_cached(self._build, self.plan, done))

    def _adopt(self, done: int, found: tuple[int, CachedLayers] | None) -> int:
        if found is None:
            return done
        position, layers = found
        self.files.adopt(layers)
        for step in self.plan.steps[done : position + 1]:
            self._record(step, cached=True)
        return position + 1

    def _tell_miss(self, done: int) -> None:
        """Say why the first step that is to be done was not found on another machine."""
        missed = [step for step in self.plan.performed[done:] if step.makes_layer]
        found = self._build.why_missed(self.plan) if missed else None
        if found is not None:
            place, position, reason = found
            step = missed[0]
            steps = self.plan.layer_steps
            if steps[position:] and steps[position] is not step:
                reason = f"{steps[position].text}: {reason}"
            self._emit(LayersMissed, **self._fields(step), key=step.key, place=place, reason=reason)

    def _perform(self, step: Step) -> None:
        operation = step.operation
        if isinstance(operation, MetadataOperation):
            self._record(step, cached=bool(self._results) and self._results[-1].cached)
            return
        self._emit(StepStarted, **self._fields(step))
        started = time.monotonic()
        self._waits = Waits(self._emit, step.number)
        try:
            cached, attempts = self._execute(step, operation)
        except BuildError as error:
            self._tell_failure(step, error)
            raise
        seconds = time.monotonic() - started
        self.files.layers.took(step, seconds)
        self._record(
            step,
            cached=cached,
            attempts=attempts,
            seconds=seconds,
            size=None if cached else self.files.layers.size_of(step),
        )

    def _execute(
        self, step: Step, operation: RunOperation | CopyOperation | WorkdirOperation
    ) -> tuple[bool, int]:
        """Make the layer of a step: (cached, attempts)."""
        try:
            if isinstance(operation, RunOperation):
                return self._run(step, operation)
            self._compose(step, operation)
        except CopyError as error:
            raise self._errors.failure(step, error.message, hint=error.hint) from error
        except MountRefused as error:
            raise self._errors.refusal(error) from error
        except REFUSALS as error:
            trouble = machine_trouble(error, str(self._build.make_scratch()))
            raise self._errors.failure(step, trouble.message, hint=trouble.hint) from error
        return False, 1

    def _tell_failure(self, step: Step, error: BuildError) -> None:
        self._emit(
            StepFailed,
            number=step.number,
            text=step.text,
            line=error.line,
            end_line=error.end_line,
            reason=error.reason,
            exit_code=error.exit_code,
            attempts=error.attempts,
            hint=error.hint,
            debug_id=error.debug_id,
        )

    def _run(self, step: Step, operation: RunOperation) -> tuple[bool, int]:
        """Run a step, or take what another process has built meanwhile: (cached, attempts)."""
        build = self._build
        architecture = self.plan.begin.config.architecture or build.platform.architecture
        if not can_execute(architecture):
            raise self._errors.failure(
                step,
                f"its programs are for {architecture}, which this machine cannot execute",
                hint="register an emulator (qemu-user-static), or only COPY in this stage",
            )
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._lock(step))
            layers = cached_layers(build, self.plan, step.key, again=True)
            if layers is not None:
                self.files.adopt(layers)
                return True, 0
            attempts = self._run_step(step, operation).execute()
            self.files.hold(step.key, stack.pop_all())
            return False, attempts

    def _run_step(self, step: Step, operation: RunOperation) -> RunStep:
        self.files.open()
        return RunStep(
            self._build,
            self.files,
            self._mounts,
            step,
            operation,
            user=self._numeric_user(operation.user),
            failure=self._errors.failure,
            emit=self._emit,
            slot=lambda: self._waits.slot(self._build),
        )

    def again(self, step: Step, how: Debugging) -> int:
        """Run a step on the state before it, and keep nothing of it; its exit status.

        Raises:
            BuildError: it is no RUN, and fails again.
            UsageError: there is no shell, or a secret cannot be had.
        """
        if isinstance(step.operation, RunOperation):
            return self._run_step(step, step.operation).again(how, self._shell(step, how))
        if not how.opens_shell:
            self._perform(step)
            return 0
        config = self.plan.state_before(step).config
        within = RunOperation(
            step.instruction,
            argv=(),
            env=config.env,
            args={},
            user=config.user,
            workdir=config.workdir or "/",
        )
        return self._run_step(step, within).again(how, self._shell(step, how))

    def _shell(self, step: Step, how: Debugging) -> str | None:
        if not how.opens_shell:
            return None
        configured = self.plan.state_before(step).config.shell
        where = f"the state before {step.text!r}"
        return find_shell(self.files.rootfs(), configured, where)

    def _numeric_user(self, user: str) -> str:
        """``uid:gid`` when that is all the user is: look-ups by the engine cost 50 ms a RUN.

        For root this is found out once a stage: a RUN that puts root into groups gives it nothing
        it does not have.
        """
        is_root = user in ("", "0", "root")
        if is_root and self._root_user is not None:
            return self._root_user
        try:
            found = lookup_user(user or "0", self.files.rootfs())
        except ZlayerError:
            return user  # the engine says what is wrong with it
        numeric = user if found.groups else f"{found.uid}:{found.gid}"
        if is_root:
            self._root_user = numeric
        return numeric

    @contextlib.contextmanager
    def _lock(self, step: Step) -> Iterator[None]:
        """The step's key, held against everybody else who would build it."""
        over: list[Callable[[], None]] = []

        def waiting() -> None:
            over.append(self._waits.begin(f"{self.plan.label}: {step.text}", "build"))

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(
                    self._build.cache.locks.hold(step.key, waiting, self._build.check)
                )
            finally:
                for end in over:
                    end()
            yield

    def _compose(self, step: Step, operation: CopyOperation | WorkdirOperation) -> None:
        """Put the layer of a COPY, ADD or WORKDIR on top."""
        if any(isinstance(one.operation, RunOperation) for one in self.plan.steps[step.number :]):
            self.files.expect_run()
        CopyStep(
            self._build, self.files, self._sources, step, waits=self._waits, emit=self._emit
        ).execute(operation)

    def _mounted_path(self, source: SourceRef, path: str) -> Path:
        with self._waits.stage(self._sources.awaited(source)):
            return self._sources.path(source, path)

    def _record(
        self,
        step: Step,
        *,
        cached: bool,
        attempts: int = 1,
        seconds: float = 0.0,
        size: int | None = None,
    ) -> None:
        attempts = 0 if cached else attempts
        fields = {**self._fields(step), "cached": cached, "attempts": attempts, "seconds": seconds}
        self._results.append(
            replace(
                cached_result(self.plan, step), cached=cached, attempts=attempts, seconds=seconds
            )
        )
        waited = self._waits.seconds if seconds else 0.0
        self._emit(StepComplete, **fields, waited=waited, size=size)

    def _fields(self, step: Step) -> dict[str, Any]:
        return step_fields(self.plan, step)

    def _emit(self, event: Callable[..., Any], **fields: Any) -> None:
        self._build.emit(event, stage=self.plan.label, **fields)
