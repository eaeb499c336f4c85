"""Where the verbs write: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.inputs.settings import environment
from pytest_zlayer.report.ci_service import harmless, service_of


class OutputError(ZlayerError):
    """The result cannot be written."""


def show(lines: Iterable[str]) -> None:
    """Write lines of the result, at once.

    Raises:
        OutputError: standard output is closed, or its disk is full.
        BrokenPipeError: nobody reads it any more.
    """
    # Python has no standard output where its caller has closed it.
    if sys.stdout is None:
        raise OutputError("cannot write the result: standard output is closed")
    try:
        _write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        forget_output()
        raise OutputError(f"cannot write the result: {problem.strerror}") from problem


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:  # it is written as a whole or not at all
        encoding = sys.stdout.encoding
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A file or directory that the result goes to is written in the block.

    Raises:
        OutputError: it cannot be.
    """
    try:
        yield
    except OSError as problem:
        raise OutputError(f"cannot write {path}: {problem.strerror}") from problem


def readable(text: str) -> str:
    """Text for people: in a job of a CI service, without what the service takes for commands."""
    return text if service_of(environment()) is None else harmless(text)


def tell(text: str) -> None:
    """Write a message that is not the result, at once; as far as somebody wants to read it."""
    if sys.stderr is None:
        return
    with suppress(OSError):
        sys.stderr.write(f"{readable(text)}\n")
        sys.stderr.flush()


def forget_output() -> None:
    """Let what is still to be written go nowhere: the interpreter tries once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
