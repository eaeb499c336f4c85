"""What the page tells of one image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_zlayer.report.html.graph import stage_graph
from pytest_zlayer.report.html.logs import shortened
from pytest_zlayer.report.html.markup import badge, element, escaped, folded, table
from pytest_zlayer.report.model import Build, Stage, Step, Test
from pytest_zlayer.report.summary import outcome, run_seconds
from pytest_zlayer.report.text import failed_attempt, outcome_text, state_text
from pytest_zlayer.report.units import count_text, seconds_text, size_text


def image_section(
    anchor: str, builds: Sequence[Build], tests: Mapping[str, Test], limit: int
) -> str:
    """An image with its stages, logs, layers, retries and tests; ``limit``: characters of a log."""
    best = builds[0]
    state = outcome(builds)
    head = element("span", escaped(best.image), class_="image") + badge(state, outcome_text(state))
    about = " · ".join(_about(builds))
    body = [
        *_message(best),
        *_graphs(best),
        *(_stage(stage, limit) for stage in best.stages if stage.steps),
        *_pulls(builds),
        *_transfers(builds),
        *_retries(builds),
        *_layers(builds),
        *_tests(builds, tests),
        *_others(builds),
    ]
    title = element("h3", head) + element("span", escaped(about), class_="about")
    return element(
        "section",
        folded(title, *body, opened=state in ("failed", "stopped")),
        id=anchor,
        class_=f"card {state}",
        data_state=state,
    )


def _about(builds: Sequence[Build]) -> Iterator[str]:
    best = builds[0]
    yield seconds_text(best.seconds)
    if best.dockerfile:
        yield f"{best.dockerfile}, target {best.target}" if best.target else best.dockerfile
    if best.platform:
        yield best.platform
    if best.image_id or any(one.image_id for one in builds):
        yield next(one.image_id for one in builds if one.image_id)[:12]
    size = max(one.size for one in builds)
    if size:
        yield size_text(size)
    uses = {use.test for one in builds for use in one.uses}
    if uses:
        yield count_text(len(uses), "test")


def _message(build: Build) -> Iterator[str]:
    if build.message:
        yield element("pre", escaped(build.message), class_="message")


def _graphs(build: Build) -> Iterator[str]:
    for platform in dict.fromkeys(stage.platform for stage in build.stages):
        stages = [one for one in build.stages if one.platform == platform]
        title = f"Stages of {build.image}" + (f" for {platform}" if platform else "")
        yield element("div", stage_graph(stages, title), class_="scroll")


def _stage(stage: Stage, limit: int) -> str:
    rows = [_step(step, limit) for step in stage.steps]
    name = element("code", escaped(stage.name)) + badge(stage.state, state_text(stage.state))
    base = f"FROM {stage.base}" + (f", {stage.platform}" if stage.platform else "")
    head = element("h4", name, element("span", escaped(base), class_="about"))
    return head + element("ol", *rows, class_="steps")


def _step(step: Step, limit: int) -> str:
    line = element("span", escaped(f"{step.line}"), class_="line", title="line of the Dockerfile")
    head = line + element("code", escaped(step.text)) + badge(step.state, state_text(step.state))
    head += element("span", escaped(" · ".join(_times(step))), class_="about")
    inside = [*_failure(step), *_missed(step), *_waits(step), *_log(step, limit)]
    if not inside:
        return element("li", element("div", head, class_="head"))
    return element("li", folded(head, *inside, opened=step.state == "failed"))


def _times(step: Step) -> Iterator[str]:
    if step.started is not None and step.state != "cached":
        yield f"ran {seconds_text(run_seconds(step))}"
    if step.waited >= 0.05:
        yield f"waited {seconds_text(step.waited)}"
    if step.attempts > 1:
        yield count_text(step.attempts, "attempt")
    if step.size is not None:
        yield f"adds {size_text(step.size)}"
    if step.log:
        yield count_text(len(step.log) + step.log_omitted, "line")


def _failure(step: Step) -> Iterator[str]:
    if step.failure is not None:
        failure = step.failure
        end = f" to {failure.end_line}" if failure.end_line != failure.line else ""
        hint = f" Hint: {failure.hint}" if failure.hint else ""
        text = f"Line {failure.line}{end}: {failure.reason}.{hint}"
        yield element("p", escaped(text), class_="reason")
        if failure.debug_id:
            yield element("p", element("code", f"pytest-zlayer debug {failure.debug_id}"))


def _missed(step: Step) -> Iterator[str]:
    if step.missed:
        text = f"Not found on another machine: {step.missed}"
        yield element("p", escaped(text), class_="about")


def _waits(step: Step) -> Iterator[str]:
    for retry in step.retries:
        text = f"{failed_attempt(retry)}; tried again after {retry.delay:g} s"
        yield element("p", escaped(text[:1].upper() + text[1:]), class_="retry")
    for wait in step.waits:
        text = f"Waited {seconds_text(wait.seconds)} for {wait.what}"
        yield element("p", escaped(text), class_="about")


def _log(step: Step, limit: int) -> Iterator[str]:
    if step.log:
        text, _ = shortened(step, limit)
        yield element("pre", escaped(text), class_="log", tabindex=0, aria_label="output")


def _pulls(builds: Sequence[Build]) -> Iterator[str]:
    rows = [
        (
            element("code", escaped(pull.reference)),
            escaped(seconds_text(pull.seconds)),
            escaped(_fetched(pull.layers, pull.size)),
        )
        for build in builds
        for pull in build.pulls
        if pull.layers
    ]
    if rows:
        yield table("Pulled", ("base image", "time", "fetched"), rows)


def _transfers(builds: Sequence[Build]) -> Iterator[str]:
    rows = [
        (
            element("code", escaped(one.place)),
            "sent" if one.sent else "fetched",
            escaped(count_text(one.layers, "layer")),
            escaped(size_text(one.bytes)),
            escaped(seconds_text(one.seconds)),
        )
        for build in builds
        for one in build.transfers
    ]
    if rows:
        heads = ("place", "", "layers", "size", "time")
        yield table("Layers of cache places", heads, rows)


def _fetched(layers: int, size: int | None) -> str:
    if not layers:
        return "nothing: it was there"
    return count_text(layers, "layer") + ("" if size is None else f", {size_text(size)}")


def _retries(builds: Sequence[Build]) -> Iterator[str]:
    rows = [
        (
            element("code", escaped(one.what)),
            f"{one.attempt} of {one.attempts}",
            element("span", escaped(one.reason), class_="text"),
        )
        for build in builds
        for one in build.retries
    ]
    if rows:
        yield table("Transfers tried again", ("what", "attempt", "why"), rows)


def _layers(builds: Sequence[Build]) -> Iterator[str]:
    layers = next((build.layers for build in builds if build.layers), ())
    largest = max((layer.size for layer in layers), default=0) or 1
    rows = [
        (
            element("code", escaped(layer.digest.partition(":")[2][:12])),
            element("meter", min=0, max=largest, value=layer.size, aria_label="share")
            + escaped(size_text(layer.size)),
            element("code", escaped(layer.created_by[:300])),
        )
        for layer in layers
    ]
    if rows:
        inside = table("Layers, the lowest first", ("layer", "size", "made by"), rows)
        yield folded(escaped(count_text(len(rows), "layer")), inside)


def _tests(builds: Sequence[Build], tests: Mapping[str, Test]) -> Iterator[str]:
    uses = {use.test: use for build in builds for use in reversed(build.uses)}
    if not uses:
        return
    rows = [
        (
            element("code", escaped(name)),
            badge(tests[name].outcome, tests[name].outcome) if name in tests else "",
            escaped(seconds_text(use.seconds)),
        )
        for name, use in sorted(uses.items())
    ]
    inside = table("Tests that used it", ("test", "outcome", "waited for the image"), rows)
    yield folded(escaped(f"used by {count_text(len(rows), 'test')}"), inside)


def _others(builds: Sequence[Build]) -> Iterator[str]:
    rows = [
        (
            escaped(one.worker or "main"),
            badge(one.state, outcome_text(one.state)),
            escaped(seconds_text(one.seconds)),
        )
        for one in builds[1:]
    ]
    if rows:
        inside = table("Asked for again", ("process", "outcome", "time"), rows)
        yield folded(escaped(f"asked for {count_text(len(rows), 'more time')}"), inside)
