"""The output of ``build``: progress, what was kept, reports."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.cli.output import tell
from pytest_zlayer.events import ImageContents
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.report.live import ERASE_BELOW, PAUSE, LiveBlock, can_be_live
from pytest_zlayer.report.running import Running
from pytest_zlayer.report.text import Detail, ProgressLines
from pytest_zlayer.waiting import Outcome, join

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.session.build_session import BuildSession
    from pytest_zlayer.events import Event
    from pytest_zlayer.inputs.settings import Settings


class BuildWatch:
    """Takes the events of one build in: lines and, on a terminal, a live block on standard error.

    ``listen`` may be called from any thread.

    Attributes:
        is_live: whether there is a live block.
    """

    def __init__(self, settings: Settings) -> None:
        with LOADING:
            from pytest_zlayer.report.recorder import Recorder

        self._settings = settings
        self._recorder = Recorder(logs=bool(settings["report"]))
        self._lines = ProgressLines(_detail(settings), prefix="")
        self._running = Running()
        self._lock = threading.RLock()
        self._ended: Outcome[None] = Outcome()
        self._ticker: threading.Thread | None = None
        self.is_live = self._lines.detail == "live"
        if self.is_live:
            colours = not settings.environment.get("NO_COLOR")
            block = LiveBlock(lambda: self._running, colours=colours, stream=sys.stderr)
            self._ticker = threading.Thread(target=self._tick, args=(block,), daemon=True)
            self._ticker.start()

    def listen(self, event: Event) -> None:
        """Take in one event."""
        with self._lock:
            self._recorder.take(event)
            self._running.take(event)
            lines = self._lines.lines(event)
            if lines:
                self._erase()
            for line in lines:
                tell(line)

    def built(self, image: Image) -> None:
        """The image is there: note what it consists of."""
        if not self._settings["report"]:
            return
        with LOADING:
            from pytest_zlayer.builder.image.reported import layers_of

        layers = layers_of(image)
        self.listen(ImageContents(build_id="", image=image.label, image_id=image.id, layers=layers))

    def end(self, session: BuildSession) -> None:
        """The session is closed: say what was kept, and write the reports."""
        self._ended.give(None)
        if self._ticker is not None:
            join(self._ticker)
        for kept in session.kept:
            tell(f"kept {kept.kind} of {kept.label}: {kept.command}")
        if self._settings["report"] and self._recorder:
            self._write(session)

    def _write(self, session: BuildSession) -> None:
        from importlib.metadata import version

        with LOADING:
            from pytest_zlayer.builder.image.reported import describe_engine
            from pytest_zlayer.report.model import Kept
            from pytest_zlayer.report.write import python_text, write_report

        environment = {
            "Python": python_text(),
            "pytest-zlayer": version("pytest-zlayer"),
            **({"engine": describe_engine(session.engine)} if session.opened else {}),
            **{f"--{name}": text for name, text in self._settings.shown()},
        }
        kept = tuple(
            Kept(kind=one.kind, image=one.label, command=one.command) for one in session.kept
        )
        run = self._recorder.run(environment=environment, kept=kept)
        for path in self._settings["report"]:
            here = Path.cwd()
            shown = path.relative_to(here) if path.is_relative_to(here) else path
            tell(write_report(path, run, shown))

    def _tick(self, block: LiveBlock) -> None:
        while not self._ended.wait(PAUSE):
            with self._lock:
                _write(block.text(0) or ERASE_BELOW)
        with self._lock:
            self._erase()

    def _erase(self) -> None:
        if self._ticker is not None:
            _write(ERASE_BELOW)


def _write(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _detail(settings: Settings) -> Detail:
    chosen: str = settings["progress"]
    if chosen == "quiet":
        return "quiet"
    if chosen != "plain" and can_be_live(settings.environment, sys.stderr):
        return "live"
    return "full"
