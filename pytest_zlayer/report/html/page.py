"""The whole page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path

from pytest_zlayer.report.html.image import image_section
from pytest_zlayer.report.html.logs import log_limit
from pytest_zlayer.report.html.markup import badge, element, escaped, folded, table
from pytest_zlayer.report.html.timeline import timeline
from pytest_zlayer.report.model import Build, BuildState, Run, Transfer, images
from pytest_zlayer.report.summary import outcome, slowest, summary_line
from pytest_zlayer.report.text import outcome_text, state_text
from pytest_zlayer.report.units import count_text, seconds_text, size_text

_TITLE = "Container images of this test run"
_ORDER: tuple[BuildState, ...] = ("failed", "stopped", "built", "ready", "cached")
_SLOWEST = 15
Group = tuple[str, Sequence[Build]]


def page(runs: Sequence[Run]) -> str:
    """The page of one run, or of several shards of one."""
    parts = [*_head(runs), *_search(), element("main", *_main(runs), id="main")]
    body = element("a", "Skip to the images", href="#images", class_="skip") + "".join(parts)
    script, style = _file("script.js"), _file("style.css")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escaped(_TITLE)}</title><style>{style}</style>"
    )
    text = (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n'
        f"<body>{body}<script>{script}</script></body></html>\n"
    )
    # Names of files need not be text; a lone surrogate has no place in a page.
    return text.encode("utf-8", "replace").decode()


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _head(runs: Sequence[Run]) -> Iterator[str]:
    lines = [_headline(run, many=len(runs) > 1) for run in runs]
    yield element("header", element("h1", escaped(_TITLE)), *lines)


def _headline(run: Run, *, many: bool) -> str:
    began = datetime.fromtimestamp(run.started, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    shard = f"{run.shard or 'shard'}: " if many else ""
    status = "" if run.exit_status is None else f", exit status {run.exit_status}"
    said = element(
        "strong", escaped(f"{shard}{summary_line(run, above='') or 'no image was needed'}")
    )
    took = escaped(f" {began}, took {seconds_text(run.seconds)}{status}")
    return element("p", said, element("span", took, class_="about"))


def _search() -> Iterator[str]:
    label = element("label", "Search images, steps and logs", for_="search")
    field = '<input id="search" type="search" autocomplete="off" spellcheck="false">'
    boxes = [
        element(
            "label",
            f'<input type="checkbox" value="{state}" checked>',
            badge(state, outcome_text(state)),
        )
        for state in _ORDER
    ]
    states = element("fieldset", element("legend", "Show"), *boxes)
    buttons = element("button", "Open all", type="button", id="open") + element(
        "button", "Close all", type="button", id="close"
    )
    found = element("p", id="found", role="status", aria_live="polite")
    yield element("form", label, field, states, buttons, found, role="search", id="filter")


def _main(runs: Sequence[Run]) -> Iterator[str]:
    groups = [group for run in runs for group in _groups(run)]
    groups.sort(key=lambda group: (_ORDER.index(outcome(group[1])), group[1][0].image))
    anchors = {one.id: anchor for anchor, builds in groups for one in builds}
    tests = {test.id: test for run in runs for test in run.tests}
    limit = log_limit(runs)
    yield element("h2", "Images", id="images")
    yield _overview(groups)
    for run in runs:
        yield element("h2", escaped(f"Time line{f' of {run.shard}' if run.shard else ''}"))
        yield element("div", timeline(run, anchors), class_="scroll")
        yield _legend()
        yield from _slowest(run)
    yield element("h2", "Each image")
    yield from (image_section(anchor, builds, tests, limit) for anchor, builds in groups)
    for run in runs:
        yield from _places(run)
        yield from _remains(run)
        yield from _environment(run)


def _groups(run: Run) -> Iterator[Group]:
    for same, builds in images(run).items():
        yield f"i-{hashlib.sha256(f'{run.started}{same}'.encode()).hexdigest()[:10]}", builds


def _overview(groups: Sequence[Group]) -> str:
    rows = [_row(anchor, builds) for anchor, builds in groups]
    heads = ("image", "outcome", "time", f"steps {state_text('cached')}", "size", "tests")
    caption = f"{count_text(len(groups), 'image')}, those with trouble first"
    return table(caption, heads, rows, class_="overview")


def _row(anchor: str, builds: Sequence[Build]) -> tuple[str, ...]:
    best = builds[0]
    steps = [step for _, step in best.steps]
    state = outcome(builds)
    cached = sum(step.state == "cached" for step in steps)
    size = max(one.size for one in builds)
    uses = {use.test for one in builds for use in one.uses}
    return (
        element("a", escaped(best.image), href=f"#{anchor}"),
        badge(state, outcome_text(state)),
        escaped(seconds_text(best.seconds)),
        f"{cached} of {len(steps)}" if steps else "",
        escaped(size_text(size)) if size else "",
        str(len(uses)),
    )


def _legend() -> str:
    kinds = {
        "run": state_text("run"),
        "retried": state_text("retried"),
        "failed": f"{state_text('failed')} or {state_text('stopped')}",
        "pull": "pull",
        "wait": "waiting",
    }
    marks = [
        element("li", element("span", class_=f"key {kind}"), escaped(words))
        for kind, words in kinds.items()
    ]
    return element("ul", *marks, class_="legend")


def _slowest(run: Run) -> Iterator[str]:
    lines = slowest(run, _SLOWEST)
    if lines:
        text = element("pre", escaped("\n".join(lines)), class_="log", tabindex=0)
        yield folded("The slowest builds and steps", text)


def _remains(run: Run) -> Iterator[str]:
    if run.kept:
        rows = [
            (escaped(one.kind), escaped(one.image), element("code", escaped(one.command)))
            for one in run.kept
        ]
        yield element("h2", "Kept")
        heads = ("what", "image", "command to look inside")
        yield table("Kept after the run", heads, rows)
    if run.left:
        items = [element("li", escaped(one)) for one in run.left]
        yield element("h2", "Could not be removed") + element("ul", *items)


def _places(run: Run) -> Iterator[str]:
    found = [one for build in run.builds for one in build.transfers]
    rows = [
        (
            element("code", escaped(place)),
            _moved([one for one in found if one.place == place and not one.sent]),
            _moved([one for one in found if one.place == place and one.sent]),
        )
        for place in dict.fromkeys(one.place for one in found)
    ]
    if rows or run.place_problems:
        yield element("h2", "Cache places")
    if rows:
        yield table("Layers of other machines", ("place", "fetched", "sent"), rows)
    if run.place_problems:
        yield element("ul", *(element("li", escaped(one)) for one in run.place_problems))


def _moved(found: Sequence[Transfer]) -> str:
    if not found:
        return ""
    layers, size = sum(one.layers for one in found), sum(one.bytes for one in found)
    return escaped(f"{count_text(layers, 'layer')}, {size_text(size)}")


def _environment(run: Run) -> Iterator[str]:
    rows = [(escaped(name), element("code", escaped(one))) for name, one in run.environment.items()]
    if rows:
        yield element("h2", escaped(f"Environment{f' of {run.shard}' if run.shard else ''}"))
        yield table("Versions and settings", ("what", "value"), rows)
