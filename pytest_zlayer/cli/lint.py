"""``lint``: the build checks that need no engine."""

from __future__ import annotations

import argparse
import json
import platform as host
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.cli.options import add_settings, read_settings
from pytest_zlayer.cli.output import show
from pytest_zlayer.cli.sources import STDIN, read_source
from pytest_zlayer.errors import UsageError

if TYPE_CHECKING:
    from pytest_zlayer.cli.options import Verbs
    from pytest_zlayer.dockerfile.errors import DockerfileError
    from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
    from pytest_zlayer.dockerfile.lint.check import Finding
    from pytest_zlayer.inputs.settings import Settings


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "lint",
        help="run the build checks on Dockerfiles (needs no buildah)",
        description="A Dockerfile that cannot be built is checked up to what is wrong with it. "
        "Exit codes: 0 nothing that is an error, 1 a finding is an error "
        "(# check=error=true), 2 a Dockerfile cannot be built.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="Dockerfiles (-: stdin)")
    parser.add_argument("--target", metavar="STAGE", help="check only what this stage needs")
    add_settings(parser, ("build-arg", "platform"))
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in one file; ``error`` is why it cannot be built, if it cannot."""

    file: str
    text: str
    findings: tuple[Finding, ...]
    error: DockerfileError | None

    def exit_code(self) -> int:
        """2 for a file that cannot be built, 1 for a finding that is an error, else 0."""
        return 2 if self.error else int(any(one.is_error for one in self.findings))

    def to_dict(self) -> dict[str, Any]:
        """The report made of JSON's types."""
        errors = self.error.diagnostics if self.error else ()
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
                for one in errors
            ],
        }

    def lines(self) -> list[str]:
        """The report as text: each finding with its line, then the error."""
        from pytest_zlayer.dockerfile.errors import Diagnostic

        shown = []
        for one in self.findings:
            kind = "error" if one.is_error else "warning"
            message = f"{kind}: {one.name}: {one.message}"
            shown.append(Diagnostic(message, one.span).render(self.text, self.file))
        return [*shown, str(self.error)] if self.error else shown


def run(arguments: argparse.Namespace) -> int:
    """Check each file and print what was found."""
    settings = read_settings(arguments)
    reports = [_check(file, arguments.target, settings) for file in arguments.files]
    if arguments.json:
        show([json.dumps([one.to_dict() for one in reports], indent=2)])
    else:
        show([*(line for one in reports for line in one.lines()), _total(reports)])
    return max(one.exit_code() for one in reports)


def _check(file: str, target: str | None, settings: Settings) -> Report:
    from pytest_zlayer.dockerfile.lint.check import examine_text
    from pytest_zlayer.dockerfile.parser.parse import decoded

    source, shown = read_source(file)
    found = examine_text(
        source,
        filename=shown,
        build_args=settings["build-arg"],
        target=target,
        ignore=_ignore_rules(file),
        **_platform(settings),
    )
    return Report(shown, decoded(source), found.findings, found.error)


def _ignore_rules(file: str) -> IgnoreRules | None:
    """The ignore file beside the Dockerfile: what a COPY takes from there may be ignored."""
    from pytest_zlayer.builder.context.build_context import read_ignore

    if file == STDIN:
        return None
    path = Path(file).absolute()
    return read_ignore(path.parent, path.name)


def _platform(settings: Settings) -> dict[str, Any]:
    if settings["platform"] is None:
        return {}
    from pytest_zlayer.dockerfile.values.platforms import host_platform, parse_platform

    native = host_platform(host.machine())
    try:
        return {"platform": parse_platform(settings["platform"], native), "build_platform": native}
    except ValueError as problem:
        raise UsageError(f"platform {settings['platform']!r}: {problem}") from problem


def _total(reports: list[Report]) -> str:
    findings = sum(len(one.findings) for one in reports)
    errors = sum(len(one.error.diagnostics) for one in reports if one.error)
    files = len(reports)
    parts = [_count(findings, "finding"), *([_count(errors, "error")] if errors else [])]
    return f"{' and '.join(parts)} in {_count(files, 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
