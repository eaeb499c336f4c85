"""Typed RUN and HEALTHCHECK: commands, mounts, probes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from pytest_zlayer.choices import NETWORK_MODES
from pytest_zlayer.dockerfile.instructions import (
    Command,
    ExecForm,
    Healthcheck,
    HealthProbe,
    Run,
    ShellForm,
)
from pytest_zlayer.dockerfile.parser.flags import FlagValues, InstructionError, read_flags
from pytest_zlayer.dockerfile.parser.heredocs import parse_heredoc_word
from pytest_zlayer.dockerfile.parser.parts import Parts
from pytest_zlayer.dockerfile.source import Word
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.written import Heredoc

_Value = TypeVar("_Value")
_SECURITY = ("sandbox", "insecure")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT32 = 1 << 31
_SHORTEST_INTERVAL = 1_000_000


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
    return Run(
        **parts.common(),
        command=command,
        script=script,
        **({"mounts": (), "devices": ()} if not parts.flags else _run_flags(flags)),
    )


def _run_flags(flags: FlagValues) -> dict[str, object]:
    from pytest_zlayer.dockerfile.operations.mounts import check_mount_from
    from pytest_zlayer.dockerfile.values.devices import check_device

    network, security = flags.given("network"), flags.given("security")
    devices, mounts = flags.texts("device"), flags.texts("mount")
    _check_all(devices, check_device)
    _check_all(mounts, check_mount_from)
    if network is not None and network.value not in NETWORK_MODES:
        raise InstructionError(f"invalid network mode {go_quote(network.value)}", network.span)
    if security is not None and security.value not in _SECURITY:
        raise InstructionError(f"security {go_quote(security.value)} is not valid", security.span)
    return {
        "devices": devices,
        "mounts": mounts,
        "network": network and network.value,
        "security": security and security.value,
    }


def _check_all(words: Sequence[Word], check: Callable[[str], None]) -> None:
    for word in words:
        _checked(word, check)


def _checked(word: Word, check: Callable[[str], _Value]) -> _Value:
    """What ``check`` makes of a word; its complaint is put under the word."""
    try:
        return check(word.value)
    except ValueError as error:
        raise InstructionError(str(error), word.span) from error


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
    probe = HealthProbe(
        (form, *command),
        interval=_interval(flags, "interval"),
        timeout=_interval(flags, "timeout"),
        start_period=_interval(flags, "start-period"),
        start_interval=_interval(flags, "start-interval"),
        retries=_retries(flags),
    )
    return Healthcheck(**parts.common(), probe=probe)


def _interval(flags: FlagValues, name: str) -> int:
    from pytest_zlayer.dockerfile.values.durations import parse_duration

    word = flags.text(name)
    if word is None:
        return 0
    duration = _checked(word, parse_duration)
    if duration != 0 and duration < _SHORTEST_INTERVAL:
        raise InstructionError(f'Interval "{name}" cannot be less than 1ms', word.span)
    return duration


def _retries(flags: FlagValues) -> int:
    word = flags.text("retries")
    if word is None:
        return 0
    problem = f"strconv.ParseInt: parsing {go_quote(word.value)}"
    if not _INTEGER.fullmatch(word.value):
        raise InstructionError(f"{problem}: invalid syntax", word.span)
    # A number with more digits than this is out of range, whatever they are.
    retries = int(word.value) if len(word.value.lstrip("+-0")) < 20 else _INT32
    if not -_INT32 <= retries < _INT32:
        raise InstructionError(f"{problem}: value out of range", word.span)
    if retries < 0:
        raise InstructionError(f"--retries cannot be negative ({retries})", word.span)
    return retries
