"""Reading Dockerfiles and ignore files."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from pytest_zlayer.builder.files.bounded import read_at_most
from pytest_zlayer.errors import UsageError

_LARGEST = 16  # MiB


def read_small(path: Path, shown: str | None = None) -> bytes:
    """The content of a file.

    Args:
        path: the file.
        shown: how to call it in messages, if not by its path.

    Raises:
        UsageError: it cannot be read, or is too large for what it is said to be.
    """
    name = shown or str(path)
    try:
        with path.open("rb") as file:
            return read_bounded(file, name)
    except OSError as problem:
        raise UsageError(f"cannot read {name}: {problem.strerror}") from problem


def read_bounded(file: BinaryIO, name: str) -> bytes:
    """The rest of an open file; see ``read_small``."""
    return read_at_most(
        file, _LARGEST, name, "neither a Dockerfile nor an ignore file is that large"
    )
