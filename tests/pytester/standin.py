"""A building session without an engine, for what the surface shows; a plugin of inner runs.

It plans as the real one does and then pretends: ``RUN false`` fails, ``RUN flaky`` is tried
twice, ``RUN forever`` waits for a signal, ``RUN slow`` takes a moment, and longer while the file
``STANDIN_HOLD`` is there, everything else succeeds. What it was asked to do is written to
``builds.log``.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_zlayer import events
from pytest_zlayer.buildah.errors import EngineMissing
from pytest_zlayer.builder.image.built_image import BuildResult, Image
from pytest_zlayer.builder.image.keeping import Keeping
from pytest_zlayer.builder.model.errors import BuildError, FailedStep
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.plan.build_plan import BuildPlan, make_plan
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.plugin.state import SESSION_FACTORY, State, listener
from pytest_zlayer.report.live import PAUSE

SLOW = 4 * PAUSE  # seconds that RUN slow takes: what draws all the time draws some pictures of it


class PretendedImage(Image):
    """As much of an image as the surface looks at."""

    spec: ImageSpec

    @classmethod
    def of(cls, plan: BuildPlan) -> PretendedImage:
        nothing: Any = None
        result = BuildResult((), 1.5)
        image = cls(image_id(plan), plan.label, plan.label, (), result, nothing)
        object.__setattr__(image, "spec", plan.spec)
        return image

    @property
    def layers(self) -> tuple[Any, ...]:
        return ()

    @property
    def history(self) -> tuple[Any, ...]:
        return ()

    @contextmanager
    def container(self) -> Iterator[Any]:
        note(f"container of {self.label} opened")
        yield f"container of {self.label}"
        note(f"container of {self.label} removed")


def image_id(plan: BuildPlan) -> str:
    return hashlib.sha256(repr(plan.key()).encode()).hexdigest()


@dataclass
class PretendedSession:
    """Plans for real, builds nothing."""

    options: BuildOptions
    tell: Callable[[events.Event], None]
    images: dict[Any, PretendedImage] = field(default_factory=dict)
    kept: tuple[Any, ...] = ()
    retries: tuple[events.StepRetry, ...] = ()
    keeping: Keeping = field(default_factory=lambda: Keeping(wanted=False))

    def plan(self, spec: ImageSpec) -> BuildPlan:
        return make_plan(spec, self.options)

    @property
    def engine(self) -> Any:
        if self.options.buildah == "/missing":
            note("engine asked for")
            raise EngineMissing("there is no buildah at /missing", hint="install it")
        return SimpleNamespace(version="1.28.2")

    def build(self, spec: ImageSpec) -> PretendedImage:
        plan = self.plan(spec)
        if plan.key() not in self.images:
            note(f"{plan.label} built by {self.options.worker} of {self.options.session_id}")
            self._run(plan)
            self.images[plan.key()] = PretendedImage.of(plan)
        return self.images[plan.key()]

    def identity(self, spec: ImageSpec) -> str:
        return image_id(self.plan(spec))

    def forget_failure(self, spec: ImageSpec) -> None:
        note(f"failure of {self.plan(spec).label} forgotten")

    def join(self) -> None:
        """Nothing is shared here."""

    def prebuild(self, specs: Iterable[ImageSpec], *, layers_only: bool = False) -> None:
        """Say what would be built ahead, if anybody asks."""
        if "STANDIN_AHEAD" in os.environ:
            labels = " ".join(self.plan(one).label for one in specs)
            note(f"ahead{' (layers only)' if layers_only else ''}: {labels}")

    def build_all(self, specs: Iterable[ImageSpec]) -> list[ZlayerError]:
        failures = []
        with suppress(EngineMissing):
            _ = self.engine
            failures = [self._failure(spec) for spec in specs]
            return [one for one in failures if one is not None]
        return [EngineMissing("there is no buildah at /missing")]

    def _failure(self, spec: ImageSpec) -> ZlayerError | None:
        try:
            self.build(spec)
        except ZlayerError as error:
            return error
        return None

    def interrupt(self) -> None:
        note("interrupted")

    def close(self, **_: bool) -> None:
        note("closed")
        if "STANDIN_SIGNAL" in os.environ:
            signal.raise_signal(int(os.environ["STANDIN_SIGNAL"]))
        if "STANDIN_TROUBLE" in os.environ:
            raise ZlayerError("the store is read-only", hint="mount it again")
        if self.options.keep == "all":
            self.kept = tuple(
                SimpleNamespace(
                    kind="image", name="kept", label=one.label, command=f"look into {one.label}"
                )
                for one in self.images.values()
            )

    def _fail(self, shared: dict[str, str], step: dict[str, Any]) -> None:
        words = {"stage": step["stage"], "number": step["number"], "stream": "stderr"}
        self.tell(events.OutputLine(**shared, **words, text="::error::the last words"))
        reason = {"reason": "the command exited with 1", "exit_code": 1, "attempts": 2}
        self.tell(events.StepFailed(**shared, **step, end_line=step["line"], **reason))
        self.tell(events.BuildFailed(**shared, message="it failed", seconds=1.0))

    def _run(self, plan: BuildPlan) -> None:
        shared: dict[str, str] = {"build_id": plan.label, "image": plan.label}
        started = {"stages": plan.stage_labels(), "dockerfile": plan.dockerfile_path}
        more = {"graph": plan.stage_infos(), "same": image_id(plan)}
        self.tell(events.BuildStarted(**shared, **started, **more))
        lines = plan.dockerfile.text.splitlines() if plan.dockerfile else []
        for number, text in enumerate(lines, start=1):
            step = {"stage": "stage-0", "number": number, "text": text, "line": number}
            counted = {**shared, **step, "total": len(lines)}
            self.tell(events.StepStarted(**counted))
            if text == "RUN false":
                self._fail(shared, step)
                raise _failure(plan, number)
            if text == "RUN forever":
                note("waiting")
                time.sleep(60)
            if text == "RUN slow":
                words = {"stage": "stage-0", "number": number, "stream": "stdout"}
                self.tell(events.OutputLine(**shared, **words, text="half of it is done"))
                time.sleep(SLOW)
                while os.path.exists(os.environ.get("STANDIN_HOLD", "")):
                    time.sleep(0.02)
            if text == "RUN flaky":
                more = {"attempt": 1, "attempts": 3, "delay": 0.5, "reason": "exit code 7"}
                self.tell(events.StepRetry(**shared, **step, **more))
            output = {"stream": "stdout", "text": f"output of {text}"}
            self.tell(events.OutputLine(**shared, stage="stage-0", number=number, **output))
            done = {"cached": False, "attempts": 1, "seconds": 0.25}
            self.tell(events.StepComplete(**counted, **done))
        done = {"image_id": image_id(plan), "seconds": 1.5, "cached": False}
        self.tell(events.BuildComplete(**shared, **done))


def _failure(plan: BuildPlan, line: int) -> BuildError:
    step = FailedStep(
        image=plan.label,
        dockerfile=plan.dockerfile_path,
        line=line,
        end_line=line,
        source_lines=("RUN false",),
        stage="stage-0",
        text="RUN false",
        exit_code=1,
        attempts=2,
        tail=("the last words",),
        log_path="build.log",
        debug_id="0a1b2c3d",
    )
    return BuildError("the command exited with 1", step)


def note(text: str) -> None:
    """Remember what was done; the file is shared by all processes of an inner run."""
    with Path(os.environ["STANDIN_LOG"]).open("a", encoding="utf-8", errors="replace") as log:
        log.write(f"{text}\n")


def pytest_configure(config: pytest.Config) -> None:
    def open_session(state: State) -> Any:
        options = state.settings.build_options(
            session_id=state.session_id, worker=state.worker or "main"
        )
        return PretendedSession(options, listener(state))

    config.stash[SESSION_FACTORY] = open_session
