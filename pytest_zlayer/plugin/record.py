"""The record of a run, for the line at its end and for its reports."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.inputs.settings import Settings
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.events import Event
    from pytest_zlayer.report.model import Run
    from pytest_zlayer.report.recorder import Recorder

# So many events of a process that cannot be reached are sent on at its end.
_MOST_UNSENT = 20_000
_IMAGES: pytest.StashKey[dict[str, Image]] = pytest.StashKey()


class RunRecord:
    """The builds and tests of one run, in one process or in all that pytest-xdist has started.

    Attributes:
        engines: what is known of buildah in each process, by worker.
        wants_logs: whether what steps write is kept.
        unsent: in a worker without a channel: its events, for its controller.
    """

    def __init__(self, settings: Settings, worker: str | None, *, logs: bool) -> None:
        self._settings = settings
        self._worker = worker
        self.wants_logs = logs or self.wants_report
        self._started = time.time()
        self._recorder: Recorder | None = None
        self._making = threading.Lock()
        self.engines: dict[str, str] = {}
        self.unsent: list[str] = []

    @property
    def recorder(self) -> Recorder:
        """What takes the events in. It is loaded when there are any: most runs need no image."""
        with self._making:
            if self._recorder is None:
                with LOADING:
                    from pytest_zlayer.report.recorder import Recorder

                self._recorder = Recorder(started=self._started, logs=self.wants_logs)
            return self._recorder

    @property
    def is_empty(self) -> bool:
        """Whether nothing was built, and nobody wants to read so."""
        return self._recorder is None and not self.wants_logs

    def anew(self, worker: str) -> RunRecord:
        """An empty one, for a forked child."""
        return RunRecord(self._settings, worker, logs=self.wants_logs)

    @property
    def wants_report(self) -> bool:
        """Whether a file is to be written."""
        return bool(self._settings["report"])

    def take(self, event: Event, worker: str = "", at: float | None = None) -> None:
        """Take in an event, of this process or of a worker."""
        if self._worker is None:
            self.recorder.take(event, worker=worker, at=at)
            return
        with LOADING:
            from pytest_zlayer.report.wire import encode

        if len(self.unsent) < _MOST_UNSENT:
            self.unsent.append(encode(event, at=time.time()).decode())

    def take_unsent(self, lines: list[str], worker: str) -> list[Event]:
        """The events that a worker hands over at its end."""
        with LOADING:
            from pytest_zlayer.report.wire import decode

        found = []
        for line in lines:
            event, more = decode(line)
            self.recorder.take(event, worker=worker, at=more.get("at"))
            found.append(event)
        return found

    def test(self, report: pytest.TestReport, *, events_follow: bool) -> None:
        """Note what became of a phase of a test.

        ``events_follow``: those of its images may not have arrived yet.
        """
        if self._recorder is None and not events_follow:
            return
        if report.when == "call" or report.outcome != "passed":
            failed = report.outcome == "failed"
            outcome = "error" if failed and report.when != "call" else report.outcome
            self.recorder.test(report.nodeid, outcome, report.duration)

    def run(self, config: pytest.Config, kept: list[Any], left: list[str], status: int) -> Run:
        """The run as it is now."""
        with LOADING:
            from pytest_zlayer.report.model import Kept

        return self.recorder.run(
            exit_status=status,
            environment=self._environment(config) if self.wants_report else {},
            kept=tuple(Kept(**{name: one[name] for name in _KEPT}) for one in kept),
            left=tuple(left),
        )

    def _environment(self, config: pytest.Config) -> Mapping[str, str]:
        return {
            **dict(_versions(config)),
            **self._engines(),
            **{f"--zlayer-{name}": text for name, text in self._settings.shown()},
        }

    def _engines(self) -> Mapping[str, str]:
        texts = set(self.engines.values())
        if len(texts) == 1:
            return {"engine": texts.pop()}
        return {f"engine of {name or 'main'}": text for name, text in sorted(self.engines.items())}

    def write(self, run: Run, rootdir: Path) -> list[str]:
        """Write the reports that are wanted; a line for each, which says where it is."""
        with LOADING:
            from pytest_zlayer.report.write import write_report

        lines = []
        for path in self._settings["report"]:
            shown = path.relative_to(rootdir) if path.is_relative_to(rootdir) else path
            lines.append(f"zlayer: {write_report(path, run, shown)}")
        return lines


_KEPT = ("kind", "image", "command")


def _versions(config: pytest.Config) -> Iterator[tuple[str, str]]:
    from importlib.metadata import distributions

    with LOADING:
        from pytest_zlayer.report.write import python_text

    yield "Python", python_text()
    for name in ("pytest", "pytest-zlayer", "pytest-xdist"):
        found = next((one.version for one in distributions(name=name)), None)
        if found is not None:
            yield name, found
    workers = len(getattr(config.option, "tx", None) or ())
    if workers:
        yield "workers", str(workers)


class Uses:
    """The images that the test which runs has got, and how long it waited for each."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._new: dict[str, Image] = {}
        self._told: set[tuple[str, str]] = set()

    def got(self, image: Image, seconds: float) -> None:
        """A fixture or a call has given it an image."""
        self._seconds[image.id] = self._seconds.get(image.id, 0.0) + seconds
        self._new[image.id] = image

    def take(self, item: pytest.Item) -> list[tuple[Image, float]]:
        """The images it has got since the last call, those of wider fixtures among them."""
        found = {**{image.id: image for image in _images_in(item)}, **self._new}
        self._new = {}
        item.stash.setdefault(_IMAGES, {}).update(found)
        taken = []
        for image in found.values():
            if (item.nodeid, image.id) not in self._told:
                self._told.add((item.nodeid, image.id))
                taken.append((image, self._seconds.pop(image.id, 0.0)))
        return taken


def images_of(item: pytest.Item) -> list[Image]:
    """All images that a test has got so far."""
    return list(item.stash.get(_IMAGES, {}).values())


def users_of(item: pytest.Item) -> Iterator[object]:
    """The containers and services among the values of a test's fixtures."""
    return (one for one in _values(item) if _image_of(one) is not None)


def _images_in(item: pytest.Item) -> Iterator[Image]:
    """The images among the values of a test's fixtures, and those behind containers."""
    module = sys.modules.get("pytest_zlayer.builder.image.built_image")
    if module is None:  # there is no image as long as nobody has loaded what makes them
        return
    for one in _values(item):
        image = one if isinstance(one, module.Image) else _image_of(one)
        if isinstance(image, module.Image):
            yield image


def _values(item: pytest.Item) -> Iterator[object]:
    """What the fixtures of a test have given: alone, by name, or one of several."""
    for value in list(getattr(item, "funcargs", {}).values()):
        if type(value) is dict:
            yield from value.values()
        elif type(value) in (list, tuple):
            yield from value
        else:
            yield value


def _image_of(value: object) -> object:
    """The image of a ``Container`` or ``Service``; nothing foreign is asked for attributes."""
    ours = type(value).__module__.startswith("pytest_zlayer.")
    return getattr(value, "image", None) if ours else None


def properties_of(image: Image) -> list[tuple[str, str]]:
    """What the junit report tells of an image that a test used."""
    build = getattr(image, "build", None)
    return [
        ("zlayer_image", image.label),
        ("zlayer_image_id", image.id),
        ("zlayer_build_seconds", f"{build.seconds if build else 0.0:.1f}"),
        ("zlayer_cached", "true" if build is None or build.cached else "false"),
    ]
