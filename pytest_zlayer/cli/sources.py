"""Dockerfiles and contexts as the command line names them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from pytest_zlayer.builder.context.small_file import read_bounded, read_small
from pytest_zlayer.errors import UsageError

STDIN = "-"


def read_source(file: str) -> tuple[bytes, str]:
    """The source of a Dockerfile and the name to show; ``-`` is the standard input.

    Raises:
        UsageError: it cannot be read.
    """
    if file == STDIN:
        return _read_stdin(), "<stdin>"
    return read_small(Path(file), file), file


def add_source(parser: argparse.ArgumentParser) -> None:
    """The arguments that say what is built: context, Dockerfile and target."""
    parser.add_argument(
        "context",
        metavar="CONTEXT",
        help="directory, tar archive, git repository or URL (-: Dockerfile from stdin)",
    )
    parser.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        help="the Dockerfile (default: CONTEXT/Dockerfile, then CONTEXT/Containerfile; -: stdin)",
    )
    parser.add_argument("--target", metavar="STAGE", help="the stage to build (default: the last)")


def source_arguments(arguments: argparse.Namespace) -> tuple[list[Any], dict[str, Any]]:
    """What a declaration is given for the context, the Dockerfile and the target."""
    values: dict[str, Any] = {"target": arguments.target}
    file: str | None = arguments.file
    if arguments.context == STDIN:
        if file is not None:
            raise UsageError("a context of - is the Dockerfile itself: leave --file out")
        return [None], {**values, "text": _stdin_text()}
    if file == STDIN:
        values["text"] = _stdin_text()
    elif file is not None:
        # As buildah does: first from where one stands, then inside the context.
        values["dockerfile"] = os.path.abspath(file) if os.path.exists(file) else file
    return [arguments.context], values


def _stdin_text() -> str:
    return _read_stdin().decode(errors="replace")


def _read_stdin() -> bytes:
    return read_bounded(sys.stdin.buffer, "<stdin>")
