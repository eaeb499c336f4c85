"""Typed RUN and HEALTHCHECK: commands, mounts, probes."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_zlayer.dockerfile.instructions import (
    Command,
    ExecForm,
    Healthcheck,
    HealthProbe,
    Run,
    ShellForm,
)
from pytest_zlayer.dockerfile.parser.flags import FlagValues, converted, read_flags
from pytest_zlayer.dockerfile.parser.heredocs import parse_heredoc_word
from pytest_zlayer.dockerfile.parser.parts import Parts
from pytest_zlayer.dockerfile.source import Word
from pytest_zlayer.dockerfile.written import Heredoc
from pytest_zlayer.lazy import LOADING


def command_of(words: Sequence[Word], json: bool) -> Command:
    """The exec form when the words come from JSON, else the shell form."""
    if json:
        return ExecForm(tuple(word.value for word in words))
    return ShellForm(words[0].value if words else "")


def build_run(parts: Parts) -> Run:
    """RUN with its flags checked as far as they do not depend on variables."""
    flags = read_flags("RUN", parts.flags)
    command, script = command_of(parts.words, parts.json), None
    if parts.heredocs:
        command, script = _with_heredocs(parts.words, parts.heredocs)
    if parts.flags:
        _check_devices_and_mounts(flags)
    return Run(**parts.common(), command=command, script=script, **flags.fields_of(Run))


def _check_devices_and_mounts(flags: FlagValues) -> None:
    with LOADING:
        from pytest_zlayer.dockerfile.operations.mounts import check_mount_from
        from pytest_zlayer.dockerfile.values.devices import check_device

    for word in flags.texts("device"):
        converted(word, check_device)
    for word in flags.texts("mount"):
        converted(word, check_mount_from)


def _with_heredocs(
    words: Sequence[Word], heredocs: Sequence[Heredoc]
) -> tuple[ShellForm, Heredoc | None]:
    """What the shell runs: the first body as a script, or the text with all bodies behind it."""
    text = words[0].value if words else ""
    alone = bool(words) and words[0].span == heredocs[0].span
    if alone and parse_heredoc_word(text) is not None:
        return ShellForm(heredocs[0].text), heredocs[0]
    bodies = "".join(f"\n{one.content}{one.name}" for one in heredocs)
    return ShellForm(text + bodies), None


def build_healthcheck(parts: Parts) -> Healthcheck:
    """HEALTHCHECK; its flags count only when there is a command."""
    kind = parts.tokens[0].type
    if kind == "NONE":
        return Healthcheck(**parts.common(), probe=HealthProbe(("NONE",)))
    flags = read_flags("HEALTHCHECK", parts.flags)
    form = "CMD" if parts.json else "CMD-SHELL"
    command = tuple(word.value for word in parts.words[1:])
    probe = HealthProbe((form, *command), **flags.fields_of(HealthProbe))
    return Healthcheck(**parts.common(), probe=probe)
