"""How much of each log fits into a page that is still quick to open."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_zlayer.report.model import Run, Step

TOTAL = 2_000_000  # characters of all logs of a page
_LEAST = 400  # characters that every log gets
_FAILED = 60_000  # characters that the log of a failed step gets


def log_limit(runs: Iterable[Run]) -> int:
    """The characters that each log may have so that all of them fit."""
    sizes = sorted(
        size_of(step)
        for run in runs
        for build in run.builds
        for _, step in build.steps
        if step.log and step.state != "failed"
    )
    left, limit = TOTAL, TOTAL
    for number, size in enumerate(sizes):
        limit = left // (len(sizes) - number)
        if size > limit:
            return max(limit, _LEAST)
        left -= size
    return max(limit, _LEAST)


def size_of(step: Step) -> int:
    """Characters of a step's log."""
    return sum(len(line) + 1 for line in step.log)


def shortened(step: Step, limit: int) -> tuple[str, int]:
    """The log, its middle left out if it is too long; and how many lines are left out."""
    most = _FAILED if step.state == "failed" else limit
    lines = list(step.log)
    if size_of(step) <= most:
        if not step.log_omitted:
            return "\n".join(lines), 0
        head, tail = lines[:200], lines[200:]
    else:
        head, tail = _fitting(lines, most // 4), _fitting(lines[::-1], most * 3 // 4)[::-1]
    omitted = step.log_omitted + len(lines) - len(head) - len(tail)
    return "\n".join([*head, f"… {omitted} lines are left out here …", *tail]), omitted


def _fitting(lines: list[str], most: int) -> list[str]:
    taken = []
    for line in lines:
        most -= len(line) + 1
        if most < 0:
            break
        taken.append(line)
    return taken
