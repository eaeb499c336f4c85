"""What one pytest process holds during its run: settings, reporter and the building session."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.inputs.settings import Settings
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.ci import CiJob
from pytest_zlayer.plugin.failures import OnceReporter, first_line
from pytest_zlayer.plugin.record import (
    RunRecord,
    Uses,
    properties_of,
)
from pytest_zlayer.plugin.reporting import PREFIX, Reporter
from pytest_zlayer.signals import CtrlC, TerminationHandler

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.image.keeping import Keeping
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.builder.session.build_session import BuildSession
    from pytest_zlayer.builder.session.hooks import BuildHooks
    from pytest_zlayer.events import Event
    from pytest_zlayer.plugin.progress.channel import Receiver, Sender
    from pytest_zlayer.report.model import Run
    from pytest_zlayer.services.running import Service
    from pytest_zlayer.services.serving import Services

SESSION_INPUT = "zlayer_session"
# Seconds between two lines of output that a worker sends where they only show that it is alive.
_BETWEEN_LINES = 0.2


class State:
    """One for each process; a worker of pytest-xdist is a process of its own."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        with LOADING:
            from pytest_zlayer.builder.model.masker import Masker

        worker: dict[str, Any] = getattr(config, "workerinput", {})
        self.config = config
        self.settings = settings
        self.reporter = Reporter(config, settings, clean=self._clean_line)
        self.session_id: str = worker.get(SESSION_INPUT) or os.urandom(6).hex()
        self.worker: str | None = worker.get("workerid")
        self.ci = CiJob(settings)
        self.record = RunRecord(settings, self.worker, logs=self.ci.service is not None)
        self.uses = Uses()
        self.masker = Masker()
        self.listen: Callable[[Event], None] = self._listen
        self._shown_layers: set[str] = set()
        self.receiver: Receiver | None = None
        self.sender: Sender | None = None
        self.send_output = False
        self.watched = self.reporter.is_live
        self.run: Run | None = None
        self.written: list[str] = []
        self._next_lines: dict[tuple[str, str, int], float] = {}
        self.share = _share(worker)
        self.mistakes = 0
        self.failed = False
        self.item: pytest.Item | None = None
        self.once = OnceReporter()
        # The failed steps for which a shell was opened.
        self.debugged: set[str] = set()
        self.wanted: list[ImageSpec] = []
        # Services with the fixtures that have started them.
        self.fixture_services: dict[Service, object] = {}
        self._process = os.getpid()
        self._session: BuildSession | None = None
        self._engine_error: ZlayerError | None = None
        self._failures: dict[ZlayerError, str] = {}
        self._signals = TerminationHandler(self._interrupt)

    @property
    def session(self) -> BuildSession:
        """The building session, opened when it is first needed."""
        if self._is_child():
            self._leave_parent()
        if self._session is None:
            self._signals.install()
            open_session = self.config.stash.get(SESSION_FACTORY, _open_session)
            self._session = open_session(self)
        return self._session

    @property
    def engine(self) -> Engine:
        """The engine; one that cannot be used is asked only once.

        Raises:
            EngineMissing, EngineUnusable: there is no usable buildah.
        """
        session = self.session
        if self._engine_error is not None:
            raise self._engine_error
        try:
            return session.engine
        except ZlayerError as error:
            self._engine_error = error
            raise

    @property
    def services(self) -> Services:
        """What runs images.

        Raises:
            EngineMissing, EngineUnusable: there is no usable buildah.
        """
        with LOADING:
            from pytest_zlayer.services.serving import Services

        _ = self.engine
        return self.session.user(Services)

    @property
    def known_services(self) -> Services | None:
        """The same, if any service was started so far."""
        serving = sys.modules.get("pytest_zlayer.services.serving")
        known_user = getattr(self._session, "known_user", None)
        if serving is None or known_user is None:
            return None
        found: Services | None = known_user(serving.Services)
        return found

    @property
    def keeping(self) -> Keeping | None:
        """What stays of the tests that fail, if any image was asked for so far."""
        return None if self._session is None else self._session.keeping

    def tell_advice(self) -> None:
        """Say once which engine runs services, where it is not the strongest one."""
        services = self.known_services
        if services is not None and services.advice:
            self.reporter.show([f"{PREFIX}{services.advice}"])
            services.advice = None

    def build(self, spec: ImageSpec) -> Image:
        """Build an image, showing its progress.

        Raises:
            ZlayerError: it cannot be built; see ``BuildSession.build``.
        """
        started = time.monotonic()
        self._hide(spec)
        image = self._build(spec)
        self.uses.got(image, time.monotonic() - started)
        return image

    def _hide(self, spec: ImageSpec) -> None:
        with LOADING:
            from pytest_zlayer.builder.model.masker import hidden_values

        arguments = {**(self.settings["build-arg"] or {}), **spec.build_args}
        whole = replace(spec, build_args=arguments)
        self.masker.hide(hidden_values(whole, self.settings.environment))

    def _build(self, spec: ImageSpec) -> Image:
        _ = self.session
        with self.reporter.live(), CtrlC(self._interrupt):
            self.session.plan(spec)
            engine = self.engine
            if getattr(self.item, "execution_count", 1) > 1:  # set by pytest-rerunfailures
                self.session.forget_failure(spec)
            try:
                return self.session.build(spec)
            except ZlayerError as error:
                self._failures[error] = self.session.identity(spec)
                raise
            finally:
                self._describe(engine)

    def _describe(self, engine: Engine) -> None:
        """Note what reports say of the engine: how RUN is isolated is known once one has run."""
        with LOADING:
            from pytest_zlayer.builder.image.reported import describe_engine

        self.record.engines[self.worker or ""] = describe_engine(engine)

    def note_uses(self, item: pytest.Item) -> None:
        """Tell of the images that a test has got: as properties of its report, and as events."""
        for image, seconds in self.uses.take(item):
            item.user_properties.extend(properties_of(image))
            self._tell_of(image, item.nodeid, seconds)

    def _tell_of(self, image: Image, test: str, seconds: float) -> None:
        with LOADING:
            from pytest_zlayer.events import ImageContents, ImageUsed

        about = {"build_id": "", "image": image.label, "image_id": image.id}
        if self.record.wants_report and image.id not in self._shown_layers:
            with LOADING:
                from pytest_zlayer.builder.image.reported import layers_of

            self._shown_layers.add(image.id)
            self.listen(ImageContents(**about, layers=layers_of(image)))
        self.listen(ImageUsed(**about, test=test, seconds=seconds))

    def _listen(self, event: Event) -> None:
        """Take in an event of this process: in the terminal, in reports, by the hook."""
        shown = self.masker.event(event)
        if self.sender is None or not self._send(self.sender, shown):
            self.reporter.listen(shown)
            self.record.take(shown)
        else:
            self.reporter.remember(shown, announce=True)
        self.config.hook.pytest_zlayer_event(config=self.config, event=shown)

    def _send(self, sender: Sender, event: Event) -> bool:
        with LOADING:
            from pytest_zlayer.events import OutputLine

        if isinstance(event, OutputLine) and not self.send_output:
            # Enough to see that a step is alive.
            step = (event.build_id, event.stage, event.number)
            if time.monotonic() < self._next_lines.get(step, 0.0):
                return True
            self._next_lines[step] = time.monotonic() + _BETWEEN_LINES
        return sender.send(event)

    def _clean_line(self, line: str) -> str:
        return self.ci.clean(line)

    def clean(self, text: str) -> str:
        """Text from a build as it may be shown: without secrets, and no command of a CI."""
        return self.ci.clean(self.masker.text(text))

    def receive(self, event: Event, worker: str, at: float) -> None:
        """In the controller of pytest-xdist: take in an event of a worker."""
        self.reporter.listen(event, worker, at)
        self.record.take(event, worker, at)

    def expect(self, specs: list[ImageSpec]) -> None:
        """Note which images the selected tests need."""
        self.wanted = specs
        if specs:
            self.reporter.running.expected = len({spec.key() for spec in specs})
        for spec in specs:
            self._hide(spec)

    def failure_key(self, error: ZlayerError) -> str:
        """Equal for failures that are one: of the same build, or of the engine itself."""
        build = "" if error is self._engine_error else self._failures.get(error, "")
        return f"{build}:{first_line(error.message)}"

    @property
    def signal(self) -> int | None:
        """The signal that ended the run, if one did."""
        return self._signals.received

    def close(self, *, failed: bool = False, hurry: bool = False) -> None:
        """Remove what the session made, except what is to be kept; problems go to the summary.

        See ``BuildSession.close``.
        """
        if self._is_child():
            return  # what there is belongs to the parent
        session, self._session = self._session, None
        try:
            if session is not None:
                session.close(failed=failed, hurry=hurry)
                self.reporter.kept.extend(_kept_record(one) for one in session.kept)
        except ZlayerError as error:
            self.reporter.problems.append(str(error))
        finally:
            self._signals.restore()

    def _is_child(self) -> bool:
        """Whether this process was forked by the one that the state was made for."""
        return os.getpid() != self._process

    def _leave_parent(self) -> None:
        """Begins anew in a forked child, as pytest-forked makes one for each test.

        The threads of the parent are not here, and its locks may be held by them for ever. So
        nothing of its session is touched. A session of the child's own shares the cached layers
        with it, like that of a worker of pytest-xdist.
        """
        self._process = os.getpid()
        self.worker = f"{self.worker or 'main'}f{self._process}"
        self._session, self._engine_error = None, None
        self._signals = TerminationHandler(self._interrupt)
        self.record = self.record.anew(self.worker)
        self.masker.begin_anew()
        self.sender = None  # its socket is the parent's

    def end(self) -> None:
        """The end of the process: whatever is still open is closed."""
        self.close(failed=True, hurry=True)
        self.reporter.screen.end()
        if self.receiver is not None:
            self.receiver.close()

    def conclude(self, status: int) -> None:
        """The tests have ended: write the reports. The processes of workers write none."""
        self.reporter.screen.end()
        if self.worker is None and not self.record.is_empty:
            reporter = self.reporter
            self.run = self.record.run(self.config, reporter.kept, reporter.problems, status)
            self.written = self.record.write(self.run, self.config.rootpath)
            self.ci.summarise(self.run)

    def _interrupt(self) -> None:
        # In case what the handler of the signal raises is lost: no further test begins.
        run: Any = self.config.pluginmanager.get_plugin("session")
        if run is not None:
            run.shouldstop = "the run was interrupted"
        if self._session is not None:
            self._session.interrupt()


def _kept_record(kept: Any) -> dict[str, Any]:
    return {
        "kind": kept.kind,
        "name": kept.name,
        "image": kept.label,
        "command": kept.command,
    }


def _open_session(state: State) -> BuildSession:
    with LOADING:
        from pytest_zlayer.builder.session.build_session import BuildSession

    options = state.settings.build_options(
        session_id=state.session_id,
        worker=state.worker or "main",
        watched=state.watched,
        send_cached=state.settings["prebuild"] == "only",
    )
    return BuildSession(options, listener=listener(state), hooks=_hooks(state.config))


def listener(state: State) -> Callable[[Event], None]:
    """What receives the events of a session."""
    return state.listen


def _hooks(config: pytest.Config) -> BuildHooks:
    with LOADING:
        from pytest_zlayer.builder.session.hooks import BuildHooks

    hook = config.hook
    return BuildHooks(
        resolve_base=lambda reference: hook.pytest_zlayer_resolve_base(
            config=config, reference=reference
        ),
        before_build=lambda spec: hook.pytest_zlayer_before_build(config=config, spec=spec),
        retry=lambda step, attempt, error: hook.pytest_zlayer_retry(
            config=config, step=step, attempt=attempt, error=error
        ),
        image_built=lambda spec, image: hook.pytest_zlayer_image_built(
            config=config, spec=spec, image=image
        ),
    )


STATE = pytest.StashKey[State]()
SESSION_FACTORY = pytest.StashKey[Callable[[State], "BuildSession"]]()


def state_of(config: pytest.Config) -> State:
    """The state of this run."""
    return config.stash[STATE]


def _share(worker: dict[str, Any]) -> float:
    """Where in the work of all this process begins: 0.5 for the second of two workers."""
    number = str(worker.get("workerid", "")).removeprefix("gw")
    return int(number) / worker["workercount"] if number.isdecimal() else 0.0
