"""What a run's end says in a line, and where the time went."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_zlayer.report.model import Build, BuildState, Run, Stage, Step, images
from pytest_zlayer.report.text import outcome_text, state_text
from pytest_zlayer.report.units import count_text, seconds_text, size_text


def summary_line(run: Run, *, above: str = " (see above)") -> str | None:
    """One line of what was needed and what it took; ``None`` when no image was.

    ``above``: where what stays is listed in full.
    """
    groups = [builds for builds in images(run).values() if not all(b.layers_only for b in builds)]
    if not groups:
        return None
    parts = [f"{count_text(len(groups), 'image')}: {', '.join(_outcomes(groups))}"]
    again = _tried_again(run)
    if again:
        parts.append(f"{count_text(again, 'step')} tried again")
    pulled = [pull.size or 0 for build in run.builds for pull in build.pulls]
    if sum(pulled):
        parts.append(f"{size_text(sum(pulled))} pulled")
    return "; ".join([*parts, *_remains(run, above)])


def _outcomes(groups: Iterable[list[Build]]) -> list[str]:
    found: dict[BuildState, list[Build]] = {}
    for builds in groups:
        found.setdefault(outcome(builds), []).extend(builds)
    texts = []
    for state in _ORDER:
        builds = found.get(state, [])
        if builds:
            number = len({one.same or one.id for one in builds})
            spent = f" in {seconds_text(busy(builds))}" if state == "built" else ""
            texts.append(f"{number} {outcome_text(state, number)}{spent}")
    return texts


_ORDER: tuple[BuildState, ...] = ("built", "cached", "ready", "failed", "stopped")
# The first that one of the processes has come to counts.
_STRONGEST: tuple[BuildState, ...] = ("failed", "built", "stopped", "ready")


def outcome(builds: Iterable[Build]) -> BuildState:
    """What became of an image that several processes may have asked for."""
    # Layers that one process was making ahead when its tests were over are made by those who ask.
    told = [one for one in builds if not (one.layers_only and one.state == "stopped")]
    over = max((one.started + one.seconds for one in told if one.state == "failed"), default=0.0)
    # Built after it had failed, for a test that was tried again.
    good = ("built", "cached", "ready")
    again = [one for one in told if over and one.started >= over and one.state in good]
    states = {one.state for one in again or told} or {"stopped"}
    return next((state for state in _STRONGEST if state in states), "cached")


def busy(builds: Iterable[Build]) -> float:
    """Seconds in which at least one of the builds that ran something was going on."""
    spans = sorted((one.started, one.started + one.seconds) for one in builds if one.ran)
    total, until = 0.0, 0.0
    for start, end in spans:
        total += max(end - max(start, until), 0.0)
        until = max(until, end)
    return total


def _tried_again(run: Run) -> int:
    steps = sum(bool(step.retries) for build in run.builds for _, step in build.steps)
    transfers = {retry.what for build in run.builds for retry in build.retries}
    return steps + len(transfers)


def _remains(run: Run, above: str) -> list[str]:
    if not run.kept and not run.left:
        return ["nothing left"]
    kept = [f"{len(run.kept)} kept{above}"] if run.kept else []
    left = [f"{len(run.left)} could not be removed{above}"] if run.left else []
    return [*kept, *left]


def slowest(run: Run, count: int) -> list[str]:
    """The slowest builds and steps as lines; ``count`` 0: all of them."""
    builds = sorted(run.builds, key=lambda one: one.seconds, reverse=True)
    steps = [(build, stage, step) for build in builds for stage, step in build.steps]
    steps = [one for one in steps if one[2].started is not None and one[2].state != "cached"]
    steps.sort(key=lambda one: one[2].seconds, reverse=True)
    most = count or None
    return [
        *(f"build {_build_line(one)}" for one in builds[:most]),
        *(f"step  {_step_line(*one)}" for one in steps[:most]),
    ]


def _build_line(build: Build) -> str:
    steps = [step for _, step in build.steps]
    cached = sum(step.state == "cached" for step in steps)
    pulled = sum(pull.seconds for pull in build.pulls)
    parts = [
        f"run {seconds_text(sum(run_seconds(step) for step in steps))}",
        f"waited {seconds_text(sum(step.waited for step in steps))}",
        *([f"pulled {seconds_text(pulled)}"] if pulled >= 0.05 else []),
        f"{cached} of {count_text(len(steps), 'step')} {state_text('cached')}",
    ]
    first = f"; for {build.uses[0].test}" if build.uses else ""
    return f"{seconds_text(build.seconds):>10}  {_name(build)} ({', '.join(parts)}{first})"


def _step_line(build: Build, stage: Stage, step: Step) -> str:
    tries = f", {count_text(step.attempts, 'attempt')}" if step.attempts > 1 else ""
    spent = f"run {seconds_text(run_seconds(step))}, waited {seconds_text(step.waited)}{tries}"
    where = f"{_name(build)}: {stage.name} {step.number} {step.text}"
    return f"{seconds_text(step.seconds):>10}  {where} ({spent})"


def _name(build: Build) -> str:
    return f"[{build.worker}] {build.image}" if build.worker else build.image


def run_seconds(step: Step) -> float:
    """Seconds in which a step worked: without its waiting."""
    return 0.0 if step.state == "cached" else max(step.seconds - step.waited, 0.0)
