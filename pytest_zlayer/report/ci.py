"""What continuous integration services read: annotations, folded logs, a table of the run."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from pytest_zlayer.lazy import late_pattern
from pytest_zlayer.report.ci_service import CIService, harmless
from pytest_zlayer.report.model import Build, Run, Stage, Step, images
from pytest_zlayer.report.summary import outcome, summary_line
from pytest_zlayer.report.text import failed_attempt, outcome_text, printable
from pytest_zlayer.report.units import count_text, seconds_text, size_text

_MISTAKE = late_pattern(
    r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<text>.+)$"
)
_MOST_LINES = 400  # of a log that is folded


def notices(run: Run, workspace: str = "") -> Iterator[str]:
    """Lines for GitHub Actions: an error for each failed step, a warning for each retry.

    Args:
        workspace: the directory of the checkout; places are relative to it.
    """
    seen: set[str] = set()
    for build in run.builds:
        for line in _of_build(build, workspace):
            if line not in seen:
                seen.add(line)
                yield line


def _of_build(build: Build, workspace: str) -> Iterator[str]:
    file = _from(build.dockerfile, workspace)
    for stage, step in build.steps:
        for retry in step.retries:
            title = f"{build.image}: {step.text} was tried again"
            text = failed_attempt(retry)
            yield annotation("warning", text, file=file, line=step.line, title=title)
        if step.failure is not None:
            hint = f"\n{step.failure.hint}" if step.failure.hint else ""
            yield annotation(
                "error",
                f"{step.text}: {step.failure.reason}{hint}",
                file=file,
                line=step.failure.line,
                endLine=step.failure.end_line,
                title=f"building {build.image} failed (stage {stage.name})",
            )
    for retry in build.retries:
        title = f"{build.image}: {retry.what} was tried again"
        yield annotation("warning", failed_attempt(retry), title=title)


def mistake(message: str, place: tuple[str, int], workspace: str = "") -> str:
    """The line for a mistake in a declaration or Dockerfile; ``place``: of the test that has it."""
    match = _MISTAKE.match(message.partition("\n")[0])
    if match is None:
        first, _, rest = message.partition("\n")
        file, line, column, text = *place, None, f"{first}\n{rest}".strip()
    else:
        file, line, text = match["file"], int(match["line"]), match["text"]
        column = int(match["column"]) if match["column"] else None
    return annotation("error", text, file=_from(file, workspace), line=line, col=column)


def annotation(level: str, text: str, **places: object) -> str:
    """One command of GitHub Actions, with everything in it escaped."""
    if "title" in places:
        places["title"] = harmless(str(places["title"]))
    known = [
        f"{name}={_property(value)}" for name, value in places.items() if value not in (None, "")
    ]
    shown = _data(harmless(text))
    return f"::{level} {','.join(known)}::{shown}" if known else f"::{level}::{shown}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _data(str(value)).replace(":", "%3A").replace(",", "%2C")


def _from(file: str, workspace: str) -> str:
    """A path as it is from the top of the checkout; nothing for what is no file."""
    if not file or file.startswith("<"):
        return ""
    path = PurePath(file)
    inside = workspace and path.is_absolute() and path.is_relative_to(workspace)
    return str(path.relative_to(workspace)) if inside else str(path)


def logs(run: Run, service: CIService, now: float | None = None) -> Iterator[str]:
    """The logs of the steps that failed, folded."""
    for number, (build, stage, step) in enumerate(_failed(run)):
        title = harmless(printable(f"zlayer: log of {build.image}: {stage.name} {step.text}"))
        lines = [harmless(line) for line in step.log[-_MOST_LINES:]]
        if service == "github":
            yield from (f"::group::{_data(title)}", *lines, "::endgroup::")
        else:
            yield from _section(f"zlayer_{number}", title, lines, now)


def _failed(run: Run) -> Iterator[tuple[Build, Stage, Step]]:
    seen: set[tuple[str, str, int]] = set()
    for build in run.builds:
        for stage, step in build.steps:
            key = (build.same or build.id, stage.name, step.number)
            if step.failure is not None and step.log and key not in seen:
                seen.add(key)
                yield build, stage, step


def _section(name: str, title: str, lines: Sequence[str], now: float | None) -> Iterator[str]:
    at = int(time.time() if now is None else now)
    yield f"\x1b[0Ksection_start:{at}:{name}[collapsed=true]\r\x1b[0K{title}"
    yield from lines
    yield f"\x1b[0Ksection_end:{at}:{name}\r\x1b[0K"


def job_summary(run: Run) -> str:
    """The table for ``GITHUB_STEP_SUMMARY``, in Markdown; empty when no image was needed."""
    line = summary_line(run, above="")
    if line is None:
        return ""
    heads = ("image", "outcome", "time", "steps cached", "tried again", "size", "tests")
    rows = [heads, ("---",) * len(heads), *map(_summary_row, images(run).values())]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"### Container images\n\n{_markdown(line)}\n\n{table}\n"


_SIGNS = {"failed": "❌ ", "built": "✅ ", "stopped": "⏹️ "}


def _summary_row(builds: Sequence[Build]) -> tuple[str, ...]:
    best = builds[0]
    steps = [step for _, step in best.steps]
    cached = sum(step.state == "cached" for step in steps)
    again = sum(len(step.retries) for one in builds for _, step in one.steps)
    size = max(one.size for one in builds)
    state = outcome(builds)
    return (
        _markdown(best.image),
        _SIGNS.get(state, "") + outcome_text(state),
        seconds_text(best.seconds),
        f"{cached} of {count_text(len(steps), 'step')}" if steps else "",
        str(again) if again else "",
        size_text(size) if size else "",
        str(len({use.test for one in builds for use in one.uses})),
    )


def _markdown(text: str) -> str:
    """Text as text: nothing of it is markup."""
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", shown)
