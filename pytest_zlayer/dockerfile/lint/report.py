"""What was found in Dockerfiles, as text, as plain data and as annotations of GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.errors import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.lint.findings import Finding


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in one file; ``error`` is why it cannot be built, if it cannot."""

    file: str
    text: str
    findings: tuple[Finding, ...]
    error: DockerfileError | None

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Why it cannot be built."""
        return tuple(self.error.diagnostics) if self.error else ()

    def exit_code(self) -> int:
        """2 for a file that cannot be built, 1 for a finding that is an error, else 0."""
        return 2 if self.error else int(any(one.is_error for one in self.findings))

    def to_dict(self) -> dict[str, Any]:
        """The report made of JSON's types."""
        return {
            "file": self.file,
            "findings": [
                {
                    "name": one.name,
                    "message": one.message,
                    "line": one.span.line,
                    "column": one.span.column,
                    "end_line": one.span.end_line,
                    "end_column": one.span.end_column,
                    "error": one.is_error,
                    "doc": one.doc,
                }
                for one in self.findings
            ],
            "errors": [
                {"message": one.message, "line": one.span.line, "column": one.span.column}
                for one in self.errors
            ],
        }

    def lines(self) -> list[str]:
        """The report as text: each finding with its line, then the error."""
        shown = []
        for one in self.findings:
            kind = "error" if one.is_error else "warning"
            message = f"{kind}: {one.name}: {one.message}"
            shown.append(Diagnostic(message, one.span).render(self.text, self.file))
        return [*shown, str(self.error)] if self.error else shown


def github_lines(reports: Iterable[FileReport]) -> Iterator[str]:
    """Workflow commands, which GitHub shows beside the lines they are about."""
    for report in reports:
        for one in report.findings:
            kind = "error" if one.is_error else "warning"
            place = f"line={one.span.line},endLine={one.span.end_line},col={one.span.column}"
            title = f"title={_property(one.name)}"
            file = _property(report.file)
            yield f"::{kind} file={file},{place},{title}::{_data(one.message)}"
        for problem in report.errors:
            place = f"line={problem.span.line},col={problem.span.column}"
            yield f"::error file={_property(report.file)},{place}::{_data(problem.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
