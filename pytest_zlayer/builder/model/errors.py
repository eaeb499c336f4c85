"""How a failed build is reported: the step, its lines, its output, and how to debug it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_zlayer.buildah.failures import Failure, disk_full
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.lazy import LOADING

TAIL_LINES = 40
_LONGEST = 200  # characters of a path in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedStep:
    """Where a build stopped.

    Attributes:
        image: label of the image that was being built.
        dockerfile: path of the Dockerfile as shown to people.
        line, end_line: first and last physical line of the step (from 1).
        source_lines: these lines, as an excerpt shows them: each at most 200 characters, printable.
        stage: label of the stage.
        text: the step on one line.
        exit_code: status of the command; ``None`` when it did not end by itself.
        attempts: how often it was tried.
        tail: last lines of the step's output, at most 40.
        log_path: file with the whole output of the build, or ``None``.
        debug_id: what ``pytest-zlayer debug`` finds the step by, or ``None``.
    """

    image: str
    dockerfile: str
    line: int
    end_line: int
    source_lines: tuple[str, ...]
    stage: str
    text: str
    exit_code: int | None = None
    attempts: int = 1
    tail: tuple[str, ...] = ()
    log_path: str | None = None
    debug_id: str | None = None


class MachineError(ZlayerError):
    """The machine refused what a build needs: a disk is full, a file cannot be read or written."""


# What the operating system refuses, and names that Python cannot hand to it.
REFUSALS = (OSError, UnicodeEncodeError)


def machine_trouble(error: OSError | UnicodeEncodeError, place: str) -> Failure:
    """What an error of the operating system means that came while working in ``place``."""
    if isinstance(error, UnicodeEncodeError):
        return _no_file_name(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full([str(error.filename or place)])
    path = "" if error.filename is None else os.fsdecode(error.filename)
    shown = path if len(path) <= _LONGEST else f"{path[:_LONGEST]}…"
    return Failure("environment", f"{error.strerror or error}{f': {shown}' if shown else ''}")


def _no_file_name(error: UnicodeEncodeError) -> Failure:
    other = error.encoding.lower() not in ("utf-8", "utf8")
    return Failure(
        "environment",
        f"{error.object[:_LONGEST]!a} cannot be a file name here: these are {error.encoding}",
        "set PYTHONUTF8=1, or a locale with UTF-8 (LC_ALL=C.UTF-8)" if other else None,
    )


@contextmanager
def machine_errors_reported(doing: str) -> Iterator[None]:
    """Raise ``MachineError`` for every error of the operating system in a ``with`` block."""
    try:
        yield
    except REFUSALS as error:
        trouble = machine_trouble(error, "the temporary directory or the storage")
        raise MachineError(f"{doing} failed: {trouble.message}", hint=trouble.hint) from error


class BuildError(ZlayerError):
    """A build that failed at a step; it has the attributes of ``FailedStep`` and ``reason``."""

    def __init__(self, reason: str, step: FailedStep, *, hint: str | None = None) -> None:
        self.reason = reason
        self.step = step
        self.image = step.image
        self.dockerfile = step.dockerfile
        self.line = step.line
        self.end_line = step.end_line
        self.source_lines = step.source_lines
        self.text = step.text
        self.exit_code = step.exit_code
        self.attempts = step.attempts
        self.tail = step.tail
        self.log_path = step.log_path
        self.debug_id = step.debug_id
        super().__init__(_headline(reason, step), hint=hint)

    def report(self) -> str:
        """Everything a person needs to know about the failure, as text."""
        # How failures read is defined in one place, which is loaded when there is one to report.
        with LOADING:
            from pytest_zlayer.report.text import failure_lines

        return "\n".join(failure_lines(self))


def _headline(reason: str, step: FailedStep) -> str:
    where = f"{step.dockerfile}:{step.line}"
    return f"building {step.image} failed at {where} (stage {step.stage}): {reason}"


def debug_command(name: str) -> str:
    """The command line that runs a failed step again, or enters what was kept."""
    return f"pytest-zlayer debug {name}"


class CopyError(ZlayerError):
    """COPY, ADD, USER or WORKDIR cannot be done as asked; the text is BuildKit's if it has one."""


class RemoteError(CopyError):
    """A remote source could not be had; ``transient`` tells whether trying again may help."""

    def __init__(self, message: str, *, hint: str | None = None, transient: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient
