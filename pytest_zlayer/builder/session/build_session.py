"""A session: one engine, one cache, many builds, and everything undone at the end."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.image.built_image import Image
from pytest_zlayer.builder.image.facts import User
from pytest_zlayer.builder.image.keeping import Keeping
from pytest_zlayer.builder.image.kept import Kept
from pytest_zlayer.builder.model.errors import machine_errors_reported
from pytest_zlayer.builder.model.masker import Masker, hidden_values
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.plan.build_plan import BuildPlan, make_plan
from pytest_zlayer.builder.session.build_events import BuildEvents, was_interrupted
from pytest_zlayer.builder.session.builds import Builds
from pytest_zlayer.builder.session.built_once import BuiltOnce
from pytest_zlayer.builder.session.ending import keep_made, remove_made, tidy_cache
from pytest_zlayer.builder.session.hooks import BuildHooks
from pytest_zlayer.builder.session.manifest_lists import ManifestLists
from pytest_zlayer.builder.session.prebuild import Prebuild
from pytest_zlayer.builder.session.resources import SessionResources
from pytest_zlayer.builder.stopping import StopEvent, do_aside
from pytest_zlayer.builder.store.base_images import as_named_context
from pytest_zlayer.errors import UsageError, ZlayerError
from pytest_zlayer.events import Event, StepRetry, Waiting
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.waiting import Outcome, held

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.builder.execute.again import Debugging
    from pytest_zlayer.builder.session.debug_records import DebugRecord

# Seconds for which the removal of what dead sessions left is waited for without a word.
_SILENT_SWEEP = 1.0


class SessionClosed(ZlayerError):
    """A build was asked of a session that has ended, or the session ended under a build."""


class BuildSession:
    """Builds images for one process and removes what it made. Safe for several threads.

    Args:
        options: the settings.
        listener: receives every event, from any thread, one at a time; values of secrets and of
            arguments that look like one stand in none of them, nor in logs and errors.
        hooks: what the program around it decides.
        engine: one whose opening has begun already, for the ``session_id`` of the options.
    """

    def __init__(
        self,
        options: BuildOptions,
        *,
        listener: Callable[[Event], None] | None = None,
        hooks: BuildHooks | None = None,
        engine: Outcome[Engine] | None = None,
    ) -> None:
        self.options = options
        self.id = options.session_id or os.urandom(6).hex()
        self.kept: tuple[Kept, ...] = ()
        self._hooks = hooks or BuildHooks()
        self._listener = listener or (lambda _: None)
        self._retries: list[StepRetry] = []
        self._plans: dict[tuple[Any, ...], BuildPlan] = {}
        self._images = BuiltOnce(self._check_open)
        self._stop = StopEvent()
        self._closed = False
        self._guard = threading.RLock()
        self._masker = Masker()
        self._listening = threading.Lock()
        self._resources = SessionResources(
            options, self.id, tell=self._tell, stop=self._stop, engine=engine
        )
        jobs = options.jobs or os.cpu_count() or 1
        self._builds = Builds(
            self._resources,
            tell=self._tell,
            resolve_base=self._hooks.resolve_base,
            may_retry=self._hooks.retry,
            stop=self._stop,
            build_other=self._build,
            masker=self._masker,
            jobs=jobs,
        )
        # Some wait for layers that others build; how much runs at once is bounded elsewhere.
        self._prebuild = Prebuild(2 * jobs)

    @property
    def retries(self) -> tuple[StepRetry, ...]:
        """Every retry of this session so far."""
        return tuple(self._retries)

    @property
    def keeping(self) -> Keeping:
        """Which images and containers of tests stay."""
        return self._resources.keeping

    @property
    def engine(self) -> Engine:
        """The engine, opened at first use. Raises ``EngineMissing``, ``EngineUnusable``."""
        return self._resources.engine

    @property
    def opened(self) -> bool:
        """Whether the engine was needed so far."""
        return self._resources.opened

    def user(self, kind: type[User]) -> User:
        """The one object of a kind that uses this session's images until it is closed."""
        return self._resources.store.user(kind)

    def known_user(self, kind: type[User]) -> User | None:
        """The same if it has been needed; the engine is not opened for it."""
        return self._resources.store.known_user(kind) if self._resources.opened else None

    @property
    def manifest_lists(self) -> ManifestLists:
        """Manifest lists made by hand: create, add to and push them."""
        return ManifestLists(self._resources)

    def plan(self, spec: ImageSpec) -> BuildPlan:
        """What is to be done to build ``spec``; no engine is needed unless its context is remote.

        Raises:
            EngineMissing, EngineUnusable: a context is to be fetched, and there is no engine.
            RemoteError: it cannot be had.
            UsageError: the declaration cannot mean anything.
            DockerfileError: its Dockerfile has an error.
            MachineError: a path of it is one that the system refuses.
        """
        key = (spec.name, spec.key())
        with self._guard:
            known = self._plans.get(key)
        if known is not None:
            return known
        # Nobody waits while a context is fetched.
        plan = make_plan(spec, self.options, self._fetched)
        self._masker.hide(hidden_values(plan.spec, self.options.environment))
        with self._guard:
            return self._plans.setdefault(key, plan)

    def _fetched(self, spec: ImageSpec) -> ImageSpec:
        return self._resources.remote_contexts.fetched(spec)

    def build(self, spec: ImageSpec) -> Image:
        """The image ``spec`` declares, built once a session.

        Raises:
            UsageError, DockerfileError: the declaration or its Dockerfile is wrong.
            BuildError: a step failed.
            EngineMissing, EngineUnusable, EngineError: the engine cannot do it.
        """
        plan = self.plan(spec)
        return self._images.get(
            plan.key(),
            lambda: self._build(plan),
            lambda: self._tell(Waiting(build_id="", image=plan.label, what=plan.label)),
        )

    def _check_open(self) -> None:
        if self._closed or self._stop.is_set():
            raise SessionClosed("the session has ended: nothing is built any more")

    def identity(self, spec: ImageSpec) -> str:
        """Equal for declarations of this run that give the same image (``BuildStarted.same``)."""
        return self._identity(self.plan(spec))

    def forget_failure(self, spec: ImageSpec) -> None:
        """Let the next ``build`` of ``spec`` begin anew if the last one failed."""
        self._images.forget_failure(self.plan(spec).key())

    def join(self) -> None:
        """Count as one of the processes of this session from now on, not only from the first build.

        What they share lasts until the last of those that have joined ends.

        Raises:
            EngineMissing, EngineUnusable: there is no usable buildah.
        """
        _ = self._resources.cache

    def prebuild(self, specs: Iterable[ImageSpec], *, layers_only: bool = False) -> None:
        """Build images in the background, in this order; errors are kept for who asks for them.

        Args:
            specs: what will be needed.
            layers_only: only bring the layers into the cache: for processes that share the work
                and do not know yet which images they will need themselves.
        """
        self._prebuild.start(self._warm if layers_only else self._build_unless_begun, specs)

    def build_all(self, specs: Iterable[ImageSpec]) -> list[ZlayerError]:
        """Build images side by side, each as far as it goes; the errors, in the order of ``specs``.

        An engine that cannot be used is one error.
        """
        wanted = list(specs)
        try:
            _ = self.engine
        except ZlayerError as unusable:
            return [unusable]
        self._prebuild.start(self._build_unless_begun, wanted)
        problems: dict[str, ZlayerError] = {}
        for spec in wanted:
            error = self._failure(spec)
            if error is not None:
                problems.setdefault(str(error), error)
        self._prebuild.join()  # one that still ends would count as busy, and be interrupted
        return list(problems.values())

    def _failure(self, spec: ImageSpec) -> ZlayerError | None:
        try:
            self.build(spec)
        except ZlayerError as error:
            return error
        return None

    def debug(self, record: DebugRecord, how: Debugging) -> int:
        """Run the step again at which a build has failed, or a shell; its exit status.

        What comes before the step is built where it is no longer in the store. What the step does
        is not kept.

        Raises:
            UsageError, DockerfileError: what it needs is not there any more.
            BuildError: a step before it fails, or it is no RUN and fails again.
            EngineMissing, EngineUnusable, EngineError: the engine cannot do it.
        """
        with LOADING:
            from pytest_zlayer.builder.execute.again import Again
            from pytest_zlayer.builder.session.debug_records import spec_of

        options = BuildOptions(environment=self.options.environment)
        spec = spec_of(record.spec, self.options)
        source = record.text, record.dockerfile
        self._masker.hide(hidden_values(spec, self.options.environment))
        plan = self._with_needed(make_plan(spec, options, self._fetched, source))
        if plan.graph is None:
            raise UsageError(f"{record.image} is a ready image: nothing of it is built")
        again = Again(
            stage=record.stage, number=record.number, text=record.step, key=record.key, how=how
        )
        with machine_errors_reported(f"debugging {plan.label}"):
            graph = plan.graph.at_stage(record.stage)
            return self._builds.debug(plan, graph, self._build_id(), again, record)

    def enter_kept(self, name: str, how: Debugging) -> int:
        """Open a shell in what an earlier session has kept; its exit status.

        Raises:
            UsageError: nothing of this name was kept, or there is no shell in it.
            EngineMissing, EngineUnusable, EngineError: the engine cannot do it.
        """
        with LOADING:
            from pytest_zlayer.builder.session.enter_kept import enter_kept

        return enter_kept(self._resources, name, how)

    def interrupt(self) -> None:
        """Make running builds stop; may be called from a signal handler."""
        do_aside(self._interrupt)

    def _interrupt(self) -> None:
        self._stop.set()
        self._prebuild.stop()
        if self._resources.opened:
            self._resources.engine.interrupt()

    def close(self, failed: bool = False, *, hurry: bool = False) -> None:
        """Remove what this session made, or keep what the options ask for; idempotent.

        Args:
            failed: with ``keep="failed"`` the containers of all steps that failed stay, not only
                what ``keeping`` knows of.
            hurry: a build in the background ends even if another process waits for its layers.
        """
        with self._guard:
            if self._closed:
                return
            self._closed = True
        hurry = hurry or self._stop.is_set()  # somebody has interrupted it
        with machine_errors_reported("removing what this run has made"):
            try:
                try:
                    # First: ending the builds ahead ends all others too, and those of what stays.
                    self._prebuild.stop()
                    self._keep(failed)
                finally:
                    self._end_ahead(hurry)
                    self._stop.set()
                if self._resources.opened:
                    self._remove(hurry)
            finally:
                self._resources.close()

    def _keep(self, failed: bool) -> None:
        """Have what the options ask for stay."""
        if not self._resources.opened:
            return
        keep = self.options.keep
        failed_stay = keep == "all" or (keep == "failed" and failed)
        self.keeping.over(keep=failed_stay)
        self._resources.store.close_users()
        self.kept = keep_made(self._resources, self._builds, failed_stay=failed_stay)

    def _remove(self, hurry: bool) -> None:
        self._builds.close()
        self._resources.end_transfers(hurry=hurry)
        self._resources.store.close()
        self._resources.mounted.close()
        remove_made(self._resources, self._builds)
        tidy_cache(self._resources)
        self._tell_of_sweep()

    def _end_ahead(self, hurry: bool) -> None:
        """Images nobody waits for any more are not finished."""
        if not hurry:
            self._prebuild.join_while(self._others_wait)
        if self._prebuild.busy:
            self._stop.set()
            self._resources.end_builds()
            self._prebuild.join()

    def _others_wait(self) -> bool:
        return self._resources.opened and self._resources.cache.locks.others_wait()

    def _tell(self, event: Event) -> None:
        shown = self._masker.event(event)
        with held(self._listening):
            if isinstance(shown, StepRetry):
                self._retries.append(shown)
            self._listener(shown)

    def _identity(self, plan: BuildPlan) -> str:
        # Salted: what is hashed may be a token, and reports are read by many.
        return hashlib.sha256(f"{self.id} {plan.key()}".encode()).hexdigest()[:16]

    def _build_id(self) -> str:
        return f"{self.id}-{self.options.worker}-{self._resources.next_number()}"

    def _build_unless_begun(self, spec: ImageSpec) -> None:
        if self.plan(spec).key() not in self._images:
            self.build(spec)

    def _warm(self, spec: ImageSpec) -> None:
        plan = self.plan(spec)
        graph = plan.graph
        if graph is None or plan.key() in self._images:
            return
        plan = self._with_needed(plan)
        build_id = self._build_id()
        events = BuildEvents(self._tell, plan, build_id, self._identity(plan))
        _ = self._resources.engine  # opened before anything is announced
        events.started(layers_only=True)
        try:
            cached = self._builds.warm(plan, graph, build_id)
        except BaseException as error:
            events.failed(error)
            raise
        events.complete("", cached=cached)

    def _build(self, plan: BuildPlan) -> Image:
        self._hooks.before_build(plan.spec)
        build_id = self._build_id()
        with machine_errors_reported(f"building {plan.label}"):
            _ = self._resources.engine  # opened before anything is announced
        events = BuildEvents(self._tell, plan, build_id, self._identity(plan))
        events.started()
        try:
            with machine_errors_reported(f"building {plan.label}"):
                image = self._make(plan, build_id)
        except BaseException as error:
            events.failed(error)
            if was_interrupted(error):
                raise SessionClosed(f"building {plan.label} was interrupted") from None
            raise
        events.complete(image.id, cached=image.build.cached)
        self._hooks.image_built(plan.spec, image)
        return image

    def _with_needed(self, plan: BuildPlan) -> BuildPlan:
        """The plan with the images it needs built, each named where it is used."""
        needed = {
            name: as_named_context(self.build(one).name)
            for name, one in plan.spec.build_contexts.items()
            if isinstance(one, ImageSpec)
        }
        if not needed:
            return plan
        spec = replace(plan.spec, build_contexts={**plan.spec.build_contexts, **needed})
        platforms = tuple(map(self._with_needed, plan.platforms))
        declared = {name: plan.spec.build_contexts[name] for name in needed}
        return replace(plan, spec=spec, platforms=platforms, declared=declared)

    def _make(self, plan: BuildPlan, build_id: str) -> Image:
        plan = self._with_needed(plan)
        if plan.platforms:
            return self._builds.make_list(plan, build_id)
        if plan.graph is None:
            return self._builds.ready(plan, plan.spec.ref or "", build_id)
        return self._builds.make(plan, plan.graph, build_id, stays=self.options.stay)

    def _tell_of_sweep(self) -> None:
        """Say what the end of the session waits for if it takes long; it does not wait for ever."""
        if not self._resources.engine.sweep_ended(_SILENT_SWEEP):
            what = "the removal of what killed runs have left"
            self._tell(Waiting(build_id="", image="", what=what, reason="sweep"))
