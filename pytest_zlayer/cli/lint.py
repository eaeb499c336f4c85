"""``lint``: the build checks that need no engine."""

from __future__ import annotations

import argparse
import json
import os
import platform as host
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.choices import DOCKERFILES
from pytest_zlayer.cli.options import add_settings, read_settings
from pytest_zlayer.cli.output import readable, show
from pytest_zlayer.cli.sources import STDIN, read_source
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.cli.options import Verbs
    from pytest_zlayer.dockerfile.lint.report import FileReport
    from pytest_zlayer.inputs.settings import Settings

FORMATS = ("text", "json", "sarif", "github", "gitlab")
# Where nobody keeps Dockerfiles of their own.
_SKIPPED = ("node_modules", "venv", "__pycache__")


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "lint",
        help="run the build checks on Dockerfiles (needs no buildah)",
        description="A Dockerfile that cannot be built is checked up to its first error. "
        "Exit codes: 0 no finding is an error, 1 a finding is an error "
        "(# check=error=true), 2 a Dockerfile cannot be built.",
    )
    parser.add_argument(
        "files",
        metavar="PATH",
        nargs="+",
        help="Dockerfiles, or directories with Dockerfiles at any depth (-: stdin)",
    )
    parser.add_argument("--target", metavar="STAGE", help="check only what this stage needs")
    add_settings(parser, ("build-arg", "platform", "root", "registry"))
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="how findings are written: for people (text), for programs (json), for code scanning "
        "(sarif), as annotations for GitHub Actions (github), or as a code quality report for "
        "GitLab (gitlab)",
    )
    parser.add_argument(
        "--json",
        action="store_const",
        const="json",
        dest="format",
        help="the same as --format json",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check each file and print what was found."""
    settings = read_settings(arguments)
    found = [file for path in arguments.files for file in _files(path)]
    reports = [_check(file, arguments.target, settings) for file in dict.fromkeys(found)]
    show(_written(reports, arguments.format))
    return max(one.exit_code() for one in reports)


def _files(path: str) -> Iterator[str]:
    """The path, or of a directory all files in it that are called like Dockerfiles."""
    if path == STDIN or not Path(path).is_dir():
        yield path
        return
    found = sorted(_below(Path(path)))
    if not found:
        raise UsageError(
            f"no Dockerfile in {path}", hint=f"Dockerfiles are called {', '.join(DOCKERFILES)}"
        )
    yield from map(str, found)


def _below(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = [one for one in folders if not one.startswith(".") and one not in _SKIPPED]
        for name in names:
            path = Path(folder, name)
            if path.suffix != ".dockerignore" and any(path.match(one) for one in DOCKERFILES):
                yield path


def _written(reports: list[FileReport], form: str) -> Iterable[str]:
    match form:
        case "json":
            return [json.dumps([one.to_dict() for one in reports], indent=2)]
        case "sarif":
            with LOADING:
                from pytest_zlayer.dockerfile.lint.sarif import sarif

            return [json.dumps(sarif(reports, _version()), indent=2)]
        case "github":
            with LOADING:
                from pytest_zlayer.dockerfile.lint.report import github_lines

            return github_lines(reports)
        case "gitlab":
            with LOADING:
                from pytest_zlayer.dockerfile.lint.code_quality import code_quality

            return [json.dumps(code_quality(reports), indent=2)]
    return [*(readable(line) for one in reports for line in one.lines()), _total(reports)]


def _check(file: str, target: str | None, settings: Settings) -> FileReport:
    with LOADING:
        from pytest_zlayer.builder.context.examined_file import examine_file, examine_source
        from pytest_zlayer.builder.store.stored_bases import StoredBases

    bases = StoredBases(settings["root"], settings["registry"], settings.environment)
    arguments = {
        "build_args": settings["build-arg"],
        "target": target,
        "bases": bases,
        **_platform(settings),
    }
    if file == STDIN:
        source, shown = read_source(file)
        return examine_source(source, shown=shown, **arguments)
    return examine_file(Path(file), shown=file, **arguments)


def _platform(settings: Settings) -> dict[str, Any]:
    if settings["platform"] is None:
        return {}
    with LOADING:
        from pytest_zlayer.dockerfile.values.platforms import host_platform, parse_platform

    native = host_platform(host.machine())
    try:
        return {"platform": parse_platform(settings["platform"], native), "build_platform": native}
    except ValueError as problem:
        raise UsageError(f"platform {settings['platform']!r}: {problem}") from problem


def _total(reports: list[FileReport]) -> str:
    findings = sum(len(one.findings) for one in reports)
    errors = sum(len(one.errors) for one in reports)
    files = len(reports)
    counts = [_count(findings, "finding"), *([_count(errors, "error")] if errors else [])]
    return f"{' and '.join(counts)} in {_count(files, 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _version() -> str:
    from importlib.metadata import version

    return version("pytest-zlayer")
