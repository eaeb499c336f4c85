"""What is being built at this moment: the steps, pulls and waits that have begun and not ended."""

from __future__ import annotations

import time
from dataclasses import field

from pytest_zlayer import events
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.events import Event
from pytest_zlayer.report.text import activity_text, failed_attempt, printable, progress_text
from pytest_zlayer.report.units import count_text


@dataclass(slots=True)
class Activity:
    """Something that is going on.

    Attributes:
        image: label of the image, with the worker under pytest-xdist.
        doing: what is done, in a few words.
        since: when that began.
        said: the last line of output.
        pull: the base image that is pulled.
        waits: whether somebody else pulls it.
    """

    image: str
    doing: str
    since: float
    said: str = ""
    pull: str = ""
    waits: bool = False


@dataclass(slots=True)
class _Build:
    image: str
    same: str
    since: float
    doing: dict[tuple[str, int, str], Activity] = field(default_factory=dict)


class Running:
    """Follows builds by their events."""

    def __init__(self) -> None:
        self._builds: dict[tuple[str, str], _Build] = {}
        self._done: set[str] = set()
        self._known: set[str] = set()
        self.expected = 0

    def __bool__(self) -> bool:
        """Whether anything is being built."""
        return bool(self._builds)

    def take(self, event: Event, worker: str = "", at: float | None = None) -> None:
        """Take in one event."""
        now = time.time() if at is None else at
        if isinstance(event, events.BuildStarted):
            name = f"[{worker}] {event.image}" if worker else event.image
            self._known.add(event.same or event.build_id)
            self._builds[worker, event.build_id] = _Build(name, event.same or event.build_id, now)
            return
        build = self._build(event.build_id, worker)
        if build is None:
            return
        if isinstance(event, (events.BuildComplete, events.BuildFailed)):
            del self._builds[worker, event.build_id]
            if _is_done(event):
                self._done.add(build.same)
        else:
            _follow(build, event, now)

    def lost(self, worker: str) -> None:
        """A worker has ended; nothing of it goes on."""
        self._builds = {key: one for key, one in self._builds.items() if key[0] != worker}

    def headline(self) -> str:
        """How far the run is."""
        total = max(self.expected, len(self._known))
        return f"{len(self._done)} of {count_text(total, 'image')} done"

    def activities(self) -> list[Activity]:
        """What goes on, the longest first; of those that wait for a pull one, or the pull."""
        found = [one for build in self._builds.values() for one in _activities(build)]
        found.sort(key=lambda one: (one.waits, one.since))
        pulls: set[str] = set()
        shown = []
        for one in found:
            if not (one.waits and one.pull in pulls):
                shown.append(one)
            pulls.add(one.pull)
        return sorted(shown, key=lambda one: one.since)

    def _build(self, build_id: str, worker: str) -> _Build | None:
        exact = self._builds.get((worker, build_id))
        if exact is not None or not build_id:
            return exact
        found = (
            build
            for (other, whole), build in self._builds.items()
            if other == worker and build_id.startswith(f"{whole}-")
        )
        return next(found, None)


def _is_done(event: events.BuildComplete | events.BuildFailed) -> bool:
    """Whether nothing more is to come of its image; another process may finish a stopped one."""
    if isinstance(event, events.BuildFailed):
        return not event.interrupted
    return bool(event.image_id)


def _activities(build: _Build) -> list[Activity]:
    waiting = {(stage, number) for stage, number, kind in build.doing if kind == "wait"}
    shown = [
        one
        for (stage, number, kind), one in build.doing.items()
        if kind != "step" or (stage, number) not in waiting
    ]
    return shown or [Activity(build.image, "preparing", build.since)]


def _follow(build: _Build, event: Event, now: float) -> None:
    match event:
        case events.StepStarted():
            build.doing[_key(event, "step")] = Activity(build.image, activity_text(event), now)
        case events.StepComplete() | events.StepFailed():
            build.doing.pop(_key(event, "step"), None)
        case events.OutputLine():
            if (found := build.doing.get(_key(event, "step"))) is not None:
                found.said = printable(event.text) or found.said
        case events.StepRetry():
            if (found := build.doing.get(_key(event, "step"))) is not None:
                found.said = failed_attempt(event)
        case events.Waiting() if event.reason == "pull":
            pull = Activity(build.image, activity_text(event), now, pull=event.what, waits=True)
            build.doing["", 0, event.what] = pull
        case events.Waiting():
            doing = f"{event.stage} {activity_text(event)}".strip()
            build.doing[_key(event, "wait")] = Activity(build.image, doing, now)
        case events.WaitOver():
            build.doing.pop(_key(event, "wait"), None)
        case events.Pulling():
            pull = Activity(build.image, activity_text(event), now, pull=event.reference)
            build.doing["", 0, event.reference] = pull
        case events.PullProgress():
            if (found := build.doing.get(("", 0, event.reference))) is not None:
                found.said = progress_text(event)
        case events.Pulled():
            build.doing.pop(("", 0, event.reference), None)
        case events.StageStarted():
            # A pull that failed has no end of its own.
            for key in [key for key in build.doing if not key[0]]:
                del build.doing[key]
        case _:
            pass


def _key(event: Event, kind: str) -> tuple[str, int, str]:
    return getattr(event, "stage", ""), getattr(event, "number", 0), kind
