"""The Dockerfile language: text becomes typed instructions. Pure: no files, no processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_zlayer.dockerfile.errors import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.instructions import (
    Add,
    AnyInstruction,
    Arg,
    ArgDeclaration,
    Cmd,
    Command,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    From,
    Healthcheck,
    HealthProbe,
    Label,
    Maintainer,
    Onbuild,
    Pair,
    Run,
    Shell,
    ShellForm,
    Stage,
    StopSignal,
    Trigger,
    User,
    Volume,
    Workdir,
)
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.written import Flag, Heredoc, Instruction
from pytest_zlayer.lazy import LOADING, late_name

if TYPE_CHECKING:
    from pytest_zlayer.dockerfile.lint.check import Finding, check
    from pytest_zlayer.dockerfile.shell.expansion import expand

__all__ = [
    "Add",
    "AnyInstruction",
    "Arg",
    "ArgDeclaration",
    "Cmd",
    "Command",
    "Copy",
    "Diagnostic",
    "Dockerfile",
    "DockerfileError",
    "Entrypoint",
    "Env",
    "ExecForm",
    "Expose",
    "Finding",
    "Flag",
    "From",
    "HealthProbe",
    "Healthcheck",
    "Heredoc",
    "Instruction",
    "Label",
    "Maintainer",
    "Onbuild",
    "Pair",
    "Run",
    "Shell",
    "ShellForm",
    "Span",
    "Stage",
    "StopSignal",
    "Trigger",
    "User",
    "Volume",
    "Word",
    "Workdir",
    "check",
    "expand",
    "parse",
]

# Loaded when they are asked for: they bring the grammar machinery or the stage graph with them.
_LAZY = {"Finding": "lint.check", "check": "lint.check", "expand": "shell.expansion"}


def parse(text: str | bytes, *, filename: str | None = None) -> Dockerfile:
    """Read a Dockerfile by BuildKit's rules, without expanding anything.

    Args:
        text: the source; bytes are UTF-8, and what is no UTF-8 becomes U+FFFD.
        filename: the name that errors show.

    Raises:
        DockerfileError: in phase ``parse`` when the text cannot be cut into instructions, else in
            phase ``instruction`` when one of them makes no sense. It holds all errors of that
            phase.
    """
    # The grammar machinery takes its time to import: nobody pays for it before the first file.
    with LOADING:
        from pytest_zlayer.dockerfile.parser import parse as parse_module

    return parse_module.parse(text, filename=filename)


def __getattr__(name: str) -> Any:
    return late_name(__name__, _LAZY, name)
