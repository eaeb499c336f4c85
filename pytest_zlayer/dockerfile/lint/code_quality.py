"""What was found in Dockerfiles as a code quality report of GitLab."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_zlayer.dockerfile.lint.report import FileReport


def code_quality(reports: Iterable[FileReport]) -> list[dict[str, Any]]:
    """The list that GitLab reads (``artifacts:reports:codequality``).

    A finding keeps its fingerprint when lines above it come or go: it is made from the file, the
    check, and the text of the line.
    """
    seen: Counter[str] = Counter()
    found = []
    for file, check, message, line, severity, text in _problems(reports):
        same = f"{file}\0{check}\0{message}\0{text.strip()}"
        seen[same] += 1
        print_ = hashlib.sha256(f"{same}\0{seen[same]}".encode()).hexdigest()
        found.append(
            {
                "description": message,
                "check_name": check,
                "fingerprint": print_,
                "severity": severity,
                "location": {"path": file.removeprefix("./"), "lines": {"begin": line}},
            }
        )
    return found


def _problems(
    reports: Iterable[FileReport],
) -> Iterator[tuple[str, str, str, int, str, str]]:
    for report in reports:
        lines = report.text.split("\n")
        for one in report.findings:
            severity = "major" if one.is_error else "minor"
            text = _line(lines, one.span.line)
            yield report.file, one.name, one.message, one.span.line, severity, text
        for problem in report.errors:
            text = _line(lines, problem.span.line)
            yield (
                report.file,
                "DockerfileError",
                problem.message,
                problem.span.line,
                "blocker",
                text,
            )


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""
