"""A Dockerfile of this machine, examined together with the ignore file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_zlayer.builder.context.build_context import ignore_file, read_ignore
from pytest_zlayer.builder.context.small_file import read_small
from pytest_zlayer.dockerfile.lint.check import examine_text
from pytest_zlayer.dockerfile.lint.report import FileReport
from pytest_zlayer.dockerfile.parser.parse import decoded


def examine_file(path: Path, *, shown: str, **arguments: Any) -> FileReport:
    """The build checks on a file; ``arguments`` are those of ``examine``.

    Raises:
        UsageError: it, or the ignore file, cannot be read.
    """
    source = read_small(path, shown)
    absolute = path.absolute()
    ignore = read_ignore(absolute.parent, absolute.name)
    return examine_source(source, shown=shown, ignore=ignore, **arguments)


def examine_source(source: bytes, *, shown: str, **arguments: Any) -> FileReport:
    """The build checks on a source that may be no file.

    Nothing is said of variables that a base image may define, if nobody knows the image.
    """
    arguments.setdefault("unknown_bases", True)
    found = examine_text(source, filename=shown, **arguments)
    return FileReport(shown, decoded(source), found.findings, found.error)


def read_by(path: Path) -> list[Path]:
    """The files that the outcome of ``examine_file`` depends on."""
    absolute = path.absolute()
    ignored = ignore_file(absolute.parent, absolute.name)
    return [absolute, *([ignored] if ignored else [])]
