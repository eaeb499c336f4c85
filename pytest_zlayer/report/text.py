"""How each event reads: build events as lines for people."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, Protocol

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import LazyModule, late_pattern
from pytest_zlayer.report.units import count_text, seconds_text, size_text

if TYPE_CHECKING:
    from pytest_zlayer import events
    from pytest_zlayer.events import (
        CachePlaceProblem,
        Event,
        LayersFetched,
        LayersMissed,
        LayersSent,
        Pulled,
        Pulling,
        PullProgress,
        StepComplete,
        StepRetry,
        StepStarted,
        Waiting,
    )
    from pytest_zlayer.report.model import BuildState, StageState
else:
    # A run without images has none.
    events = LazyModule("pytest_zlayer.events")

Detail = Literal["quiet", "short", "live", "full"]
PREFIX = "zlayer: "
_MOST_SOURCE_LINES = 20  # of a step that failed
_MOST_LINES = 40  # of its output that a failed step shows (FailedStep.tail)
# Instructions that may take long; the others are done before a line about them is read.
_SLOW = ("RUN", "COPY", "ADD")

_OUTCOMES: dict[BuildState, str] = {
    "built": "built",
    "cached": "from the cache",
    "ready": "taken as it is",
    "failed": "failed",
    "stopped": "stopped",
}
_STATES: dict[StageState, str] = {
    "run": "run",
    "cached": "cached",
    "retried": "tried again",
    "failed": "failed",
    "stopped": "stopped",
    "skipped": "skipped",
}

# Control sequences of terminals: CSI (colours, cursor) and OSC (titles, links).
_ESCAPES = late_pattern(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


@dataclass(slots=True)
class ProgressLines:
    """Turns events into lines; ``short`` leaves out what was cached and what steps write.

    ``live`` is for a terminal that shows beside the lines what is going on: they tell what is done.
    A ``quiet`` one still tells of retries: they are never hidden.
    """

    detail: Detail
    prefix: str = PREFIX
    _announced: set[str] = field(default_factory=set)
    _headers: dict[str, str] = field(default_factory=dict)
    _running: set[tuple[str, str, int]] = field(default_factory=set)

    def lines(self, event: Event) -> list[str]:
        """The lines that an event adds, without newlines; often none."""
        if isinstance(event, events.StepRetry):
            return [self.prefix + retry_line(event)]
        if self.detail == "quiet":
            return []
        if isinstance(event, events.CachePlaceProblem):
            return [f"{self.prefix}{place_problem(event)}"]
        if isinstance(event, events.BuildStarted):
            self._headers[event.build_id] = _header(event.image, event.stages)
            return self._announce(event.build_id) if self.detail == "full" else []
        if isinstance(event, (events.BuildComplete, events.BuildFailed)):
            return self._end(event)
        text = self._text(event)
        return [] if text is None else [*self._announce(event.build_id), self.prefix + text]

    def _announce(self, build_id: str) -> list[str]:
        """The header of a build, when its first line is about to be shown."""
        if build_id in self._announced:
            return []
        self._announced.add(build_id)
        header = self._headers.get(build_id)
        return [self.prefix + header] if header else []

    def _end(self, event: Event) -> list[str]:
        header = self._headers.pop(event.build_id, None)
        shown = event.build_id in self._announced
        self._announced.discard(event.build_id)
        if isinstance(event, events.BuildFailed):
            start = [] if shown or header is None else [self.prefix + header]
            ended = outcome_text("stopped" if event.interrupted else "failed")
            return [*start, f"{self.prefix}{event.image}: {ended} after {event.seconds:.1f}s"]
        if isinstance(event, events.BuildComplete) and (shown or self.detail == "full"):
            done = outcome_text("cached" if event.cached else "built")
            return [f"{self.prefix}{event.image}: {done} in {event.seconds:.1f}s"]
        return []

    def _text(self, event: Event) -> str | None:
        full, live = self.detail == "full", self.detail == "live"
        match event:
            case events.Waiting() if event.reason == "sweep":
                return activity_text(event)
            case events.Waiting() if event.reason != "build" or event.what == event.image:
                # Built in the background by this very process, whose lines are shown anyway.
                return None
            case events.Waiting():
                return None if live else f"{event.image}: {activity_text(event)}"
            case events.Pulling():
                return None if live else f"{event.image}: {activity_text(event)}"
            case events.Pulled() if event.layers and (full or live):
                return f"{event.image}: {pulled_text(event)}"
            case events.LayersFetched():
                return f"{event.image}: {_transferred(event)} from {event.place}" if full else None
            case events.LayersMissed():
                return missed_text(event) if full else None
            case events.LayersSent():
                return (
                    f"{event.image}: {_transferred(event)} sent to {event.place}" if full else None
                )
            case events.StepStarted():
                self._running.add(_key(event))
                slow = event.text.upper().startswith(_SLOW)
                shown = full or (slow and not live)
                return f"{event.image}: {activity_text(event)}" if shown else None
            case events.StepComplete():
                done = self._done(event)
                if live and not event.cached and event.text.upper().startswith(_SLOW):
                    return f"{_step(event)} {event.text}: {done}"
                return f"{_step(event)} {done}" if full else None
            case events.OutputLine():
                text = printable(event.text)
                return f"{event.image}: {event.stage} {event.number} | {text}" if full else None
            case _:
                return None

    def _done(self, event: StepComplete) -> str:
        key = _key(event)
        cached = state_text("cached")
        if key not in self._running:
            return f"{event.text}: {cached}" if event.cached else event.text
        self._running.discard(key)
        tries = f" at attempt {event.attempts}" if event.attempts > 1 else ""
        # What it waited for has lines of its own.
        seconds = max(event.seconds - event.waited, 0.0)
        return cached if event.cached else f"done in {seconds:.1f}s{tries}"


def outcome_text(state: BuildState, count: int = 1) -> str:
    """What became of an image, or of ``count`` images."""
    words = _OUTCOMES.get(state, state)
    return words if count == 1 else words.replace("it is", "they are")


def state_text(state: StageState) -> str:
    """What became of a step or a stage."""
    return _STATES.get(state, state)


def printable(text: str) -> str:
    """A line as it ends up on a terminal: rewritten parts, colours and control characters gone."""
    last = text.rstrip("\r").rpartition("\r")[2]
    return "".join(one for one in _ESCAPES.sub("", last) if one == "\t" or one.isprintable())


def retry_line(event: StepRetry) -> str:
    """One line that tells of a retry."""
    # Pulls and pushes stand on no line of a Dockerfile.
    line = f" (line {event.line})" if event.line else ""
    return (
        f"{_where(event.image, event.stage)} {event.text}{line}: "
        f"{_first_line(failed_attempt(event))}; trying again in {event.delay:g}s"
    )


class Attempt(Protocol):
    """An attempt that failed: ``StepRetry``, and what reports keep of it."""

    @property
    def attempt(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    @property
    def reason(self) -> str: ...


def failed_attempt(retry: Attempt) -> str:
    """Which attempt failed, and why."""
    reason = retry.reason.strip() or "no reason given"
    return f"attempt {retry.attempt} of {retry.attempts} failed: {reason}"


def activity_text(event: StepStarted | Waiting | Pulling) -> str:
    """What goes on from this event until it is over, without the name of the image."""
    match event:
        case events.StepStarted():
            return f"{event.stage} {event.number}/{event.total} {event.text}"
        case events.Waiting():
            return f"waiting for {event.what}"
        case events.Pulling():
            return f"pulling {event.reference}"


def progress_text(event: PullProgress) -> str:
    """How far a pull is."""
    of_all = "" if event.total is None else f" of {size_text(event.total)}"
    came = f"{size_text(event.bytes)}{of_all}" if event.bytes or of_all else ""
    layer = f"layer {event.layers}" if event.layers else ""
    return ", ".join(filter(None, (came, layer)))


def missed_text(event: LayersMissed) -> str:
    """Why a step was not found on another machine."""
    where = f"{event.stage} {event.number}/{event.total}"
    return f"{event.image}: {where} {event.text} (line {event.line}) not found: {event.reason}"


def place_problem(event: CachePlaceProblem) -> str:
    """One line that tells what is wrong with a place where cached layers are kept."""
    return f"cache place {event.place}: {event.message}"


def _transferred(event: LayersFetched | LayersSent) -> str:
    layers = count_text(event.layers, "layer")
    return f"{layers} ({size_text(event.bytes)}, {seconds_text(event.seconds)})"


def pulled_text(event: Pulled) -> str:
    """What a pull has fetched."""
    size = "" if event.size is None else f", {size_text(event.size)}"
    layers = count_text(event.layers, "layer")
    return f"pulled {event.reference} ({layers}{size}) in {event.seconds:.1f}s"


class Failed(Protocol):
    """What a build that failed at a step knows: ``BuildError``."""

    @property
    def message(self) -> str: ...
    @property
    def hint(self) -> str | None: ...

    line: int
    source_lines: tuple[str, ...]
    exit_code: int | None
    attempts: int
    tail: tuple[str, ...]
    log_path: str | None
    debug_id: str | None


def failure_lines(error: Failed) -> list[str]:
    """Everything a person needs to know about a build that failed at a step."""
    lines = [error.message, ""]
    lines += _excerpt(error)
    ended = [] if error.exit_code is None else [f"exit code: {error.exit_code}"]
    tried = [f"attempts: {error.attempts}"] if error.attempts > 1 else []
    lines += ["", ", ".join(ended + tried)] if ended or tried else [""]
    if error.tail:
        lines += [_tail_heading(len(error.tail)), *(f"  {one}" for one in error.tail)]
    elif ended:
        lines.append("the step wrote no output")
    if error.log_path:
        lines.append(f"whole log: {error.log_path}")
    if error.debug_id:
        lines.append(f"to debug it: pytest-zlayer debug {error.debug_id}")
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return lines


def _excerpt(error: Failed) -> list[str]:
    shown = error.source_lines[:_MOST_SOURCE_LINES]
    lines = [f"{number:>5} | {text}" for number, text in enumerate(shown, start=error.line)]
    left = len(error.source_lines) - len(shown)
    return [*lines, f"      | … and {count_text(left, 'more line')}"] if left else lines


def _tail_heading(count: int) -> str:
    if count < _MOST_LINES:
        return "its output:"
    return f"last {count} lines of its output:"


def _header(image: str, stages: tuple[str, ...]) -> str:
    if not stages:
        return f"{image}: building"
    return f"{image}: building {'stage' if len(stages) == 1 else 'stages'} {', '.join(stages)}"


def _where(image: str, stage: str) -> str:
    return f"{image}: {stage}"


def _step(event: StepComplete) -> str:
    return f"{_where(event.image, event.stage)} {event.number}/{event.total}"


def _key(event: StepStarted | StepComplete) -> tuple[str, str, int]:
    return event.build_id, event.stage, event.number


def _first_line(text: str) -> str:
    return printable(text.partition("\n")[0])
