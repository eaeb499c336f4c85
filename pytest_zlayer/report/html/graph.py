"""The stages of an image as a drawing, each with its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_zlayer.report.html.markup import SIGNS, element, escaped
from pytest_zlayer.report.model import Stage
from pytest_zlayer.report.text import state_text
from pytest_zlayer.report.units import seconds_text

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _EDGE = 168, 52, 46, 14, 6
_LETTERS = 22  # that fit into a box
Place = tuple[int, int]


def stage_graph(stages: Sequence[Stage], title: str) -> str:
    """An SVG of the stages, from left to right in the order of their needs."""
    places = _places(stages)
    boxes = [_box(stage, places[stage.index]) for stage in stages]
    lines = [
        _line(places[need], places[stage.index], needed=stage.needed)
        for stage in stages
        for need in stage.needs
        if need in places
    ]
    width = max(x for x, _ in places.values()) + _WIDTH + _EDGE
    height = max(y for _, y in places.values()) + _HEIGHT + _EDGE
    summary = "; ".join(_described(stage, stages) for stage in stages)
    return element(
        "svg",
        element("title", escaped(title)),
        element("desc", escaped(summary)),
        *lines,
        *boxes,
        role="img",
        aria_label=f"{title}: {summary}",
        class_="graph",
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
    )


def _places(stages: Sequence[Stage]) -> Mapping[int, Place]:
    """The upper left corner of each stage's box, by index."""
    depths: dict[int, int] = {}
    for stage in stages:  # a stage uses only those before it
        depths[stage.index] = 1 + max((depths.get(need, -1) for need in stage.needs), default=-1)
    rows: dict[int, int] = {}
    places = {}
    for index, depth in depths.items():
        row = rows.get(depth, 0)
        rows[depth] = row + 1
        places[index] = (
            _EDGE + depth * (_WIDTH + _GAP_X),
            _EDGE + row * (_HEIGHT + _GAP_Y),
        )
    return places


def _box(stage: Stage, place: Place) -> str:
    x, y = place
    return element(
        "g",
        element("title", escaped(f"{stage.name}: {_state(stage)}; FROM {stage.base}")),
        element("rect", x=x, y=y, width=_WIDTH, height=_HEIGHT, rx=6),
        element("text", escaped(_cut(stage.name)), x=x + 10, y=y + 21, class_="name"),
        element("text", escaped(_state(stage)), x=x + 10, y=y + 40),
        class_=f"stage {stage.state}",
    )


def _line(start: Place, end: Place, *, needed: bool) -> str:
    x1, y1 = start[0] + _WIDTH, start[1] + _HEIGHT / 2
    x2, y2 = end[0], end[1] + _HEIGHT / 2
    middle = (x1 + x2) / 2
    path = f"M{x1} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2} {y2:g}"
    arrow = f"M{x2 - 7} {y2 - 4:g}L{x2} {y2:g}L{x2 - 7} {y2 + 4:g}"
    return element("path", d=path + arrow, class_="edge" if needed else "edge skipped")


def _state(stage: Stage) -> str:
    spent = f" {seconds_text(stage.seconds)}" if stage.started is not None else ""
    word = state_text(stage.state) if stage.needed else "not needed"
    return f"{SIGNS.get(stage.state, '')} {word}{spent}"


def _described(stage: Stage, stages: Sequence[Stage]) -> str:
    names = {one.index: one.name for one in stages}
    needs = ", ".join(names[need] for need in stage.needs if need in names)
    return f"{stage.name} {_state(stage)}" + (f", uses {needs}" if needs else "")


def _cut(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
