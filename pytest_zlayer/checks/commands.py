"""Checks of commands: how they end and what they write."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_zlayer.checks import words
from pytest_zlayer.checks.configuration import Text, is_expected

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import Ended, HasFiles

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What shells and OCI runtimes give for a command that is not there.
NOT_FOUND = 127


def shown_command(cmd: str | Sequence[str] | None) -> str:
    """A command as a person would type it."""
    if cmd is None:
        return "the command of the image"
    return repr(cmd) if isinstance(cmd, str) else shlex.join(cmd)


def ending_problems(
    ended: Ended, *, exit_code: int | None, stdout: Text | None, stderr: Text | None
) -> list[str]:
    """What is wrong with how a command ended."""
    problems = []
    if exit_code is not None and ended.exit_code != exit_code:
        problems.append(f"exited with {ended.exit_code}, expected {exit_code}")
    for name, found, wanted in (
        ("stdout", ended.stdout, stdout),
        ("stderr", ended.stderr, stderr),
    ):
        if wanted is not None and not is_expected(found, wanted):
            problems += _stream_problems(name, found, wanted)
    if not problems:
        return []
    for name, found, wanted in (
        ("stdout", ended.stdout, stdout),
        ("stderr", ended.stderr, stderr),
    ):
        if found and wanted is None:
            problems += [f"{name}:", *words.shown_text(found)]
    return problems


def _stream_problems(name: str, found: str, wanted: Text) -> list[str]:
    if isinstance(wanted, str):
        return [f"{name} is not as expected:", *words.text_difference(wanted, found)]
    return [f"{name} does not match {wanted.pattern!r}; it is:", *words.shown_text(found)]


def program_lines(
    subject: HasFiles, cmd: str | Sequence[str] | None, env: Mapping[str, str]
) -> list[str]:
    """Programs whose names are like that of a command which was not found."""
    if not cmd or isinstance(cmd, str):
        return []
    program = cmd[0]
    if "/" in program:
        return []
    names = set()
    for folder in env.get("PATH", _DEFAULT_PATH).split(":"):
        directory = subject.path(folder)
        if directory.is_dir():
            names |= {child.name for child in directory.iterdir()}
    if program in names:
        return []
    return [f"no {program} on PATH", *words.near_line(program, names, "programs on PATH")]
