"""All steps of a run over time: what ran side by side, and what waited for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.report.html.markup import element, escaped
from pytest_zlayer.report.model import Build, Run, Stage, Step
from pytest_zlayer.report.units import seconds_text

_WIDTH, _LEFT, _ROW, _TOP = 1100, 64, 16, 22
_SHORTEST = 1.2  # units of the drawing: what would be narrower is drawn that wide
_MOST = 3000  # bars, the longest ones


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in one row."""

    row: int
    start: float
    end: float
    kind: str
    text: str
    link: str


def timeline(run: Run, anchors: dict[str, str]) -> str:
    """An SVG with a group of rows for each worker; ``anchors``: where a build's text stands."""
    bars, workers, rows = _bars(run, anchors)
    if not bars:
        return element("p", "No step was run: everything came from the cache.")
    begin = min(bar.start for bar in bars)
    span = max(max(bar.end for bar in bars) - begin, 0.001)
    scale = (_WIDTH - _LEFT - 8) / span
    height = _TOP + rows * _ROW + 8
    drawn = sorted(bars, key=lambda bar: bar.end - bar.start, reverse=True)[:_MOST]
    return element(
        "svg",
        element("title", "Time line of all steps"),
        *_axis(span, scale, height),
        *(_worker(name, row) for name, row in workers),
        *(_drawn(bar, begin, scale) for bar in sorted(drawn, key=lambda one: one.start)),
        role="img",
        aria_label=f"Time line of {len(drawn)} steps, pulls and waits over {seconds_text(span)}; "
        "the slowest are in the table below",
        class_="timeline",
        viewBox=f"0 0 {_WIDTH} {height}",
    )


def _bars(run: Run, anchors: dict[str, str]) -> tuple[list[Bar], list[tuple[str, int]], int]:
    """Bars, the first row of each worker, and how many rows there are."""
    bars: list[Bar] = []
    workers = []
    rows = 0
    for worker in sorted({build.worker for build in run.builds}):
        found = [
            (stage, build)
            for build in run.builds
            if build.worker == worker
            for stage in (*build.stages, None)
            if stage is None or _worked(stage)
        ]
        ends: list[float] = []
        for stage, build in sorted(found, key=lambda one: _start(*one)):
            made = list(_bars_of(stage, build, anchors.get(build.id, "")))
            if made:
                row = _free_row(ends, min(start for start, *_ in made))
                ends[row] = max(end for _, end, *_ in made)
                bars += [Bar(rows + row, *one) for one in made]
        if ends:
            workers.append((worker or "main", rows))
            rows += len(ends)
    return bars, workers, rows


def _worked(stage: Stage) -> bool:
    return any(step.started is not None and step.state != "cached" for step in stage.steps)


def _start(stage: Stage | None, build: Build) -> float:
    return build.started if stage is None or stage.started is None else stage.started


def _free_row(ends: list[float], start: float) -> int:
    for row, end in enumerate(ends):
        if end <= start:
            return row
    ends.append(0.0)
    return len(ends) - 1


def _bars_of(
    stage: Stage | None, build: Build, link: str
) -> Iterator[tuple[float, float, str, str, str]]:
    if stage is None:
        for pull in build.pulls:
            if pull.layers:
                text = f"{build.image}: pull {pull.reference}, {seconds_text(pull.seconds)}"
                yield pull.started, pull.started + pull.seconds, "pull", text, link
        return
    for step in stage.steps:
        if step.started is not None and step.state != "cached":
            yield from _bars_of_step(step, f"{build.image}: {stage.name} {step.text}", link)


def _bars_of_step(step: Step, name: str, link: str) -> Iterator[tuple[float, float, str, str, str]]:
    start = step.started or 0.0
    yield start, start + step.seconds, step.state, f"{name}, {seconds_text(step.seconds)}", link
    for wait in step.waits:
        text = f"{name}: waited {seconds_text(wait.seconds)} for {wait.what}"
        yield wait.started, wait.started + wait.seconds, "wait", text, link


def _drawn(bar: Bar, begin: float, scale: float) -> str:
    x = _LEFT + (bar.start - begin) * scale
    width = max((bar.end - bar.start) * scale, _SHORTEST)
    inset = 4 if bar.kind == "wait" else 0
    rect = element(
        "rect",
        element("title", escaped(bar.text)),
        x=f"{x:.1f}",
        y=_TOP + bar.row * _ROW + 1 + inset,
        width=f"{width:.1f}",
        height=_ROW - 3 - 2 * inset,
        class_=f"bar {bar.kind}",
    )
    return element("a", rect, href=f"#{bar.link}", tabindex=-1) if bar.link else rect


def _axis(span: float, scale: float, height: int) -> Iterator[str]:
    tick = _tick(span)
    for number in range(int(span / tick) + 1):
        x = f"{_LEFT + number * tick * scale:.1f}"
        yield element("line", x1=x, x2=x, y1=_TOP - 4, y2=height, class_="tick")
        yield element("text", escaped(_short(number * tick)), x=x, y=14, class_="tick")


def _tick(span: float) -> float:
    steps: Sequence[float] = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
    return next((one for one in steps if span / one <= 12), max(steps[-1], span / 12))


def _short(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min"


def _worker(name: str, row: int) -> str:
    y = _TOP + row * _ROW
    return element("line", x1=0, x2=_WIDTH, y1=y, y2=y, class_="tick") + element(
        "text", escaped(name), x=4, y=y + 12, class_="worker"
    )
