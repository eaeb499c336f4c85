"""Instructions that only change what is known about the image: ENV, CMD, EXPOSE and the like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import NoReturn, TypeAlias

from pytest_zlayer.dockerfile.dispatch.run import command_line
from pytest_zlayer.dockerfile.dispatch.state import StageState
from pytest_zlayer.dockerfile.dispatch.words import WordReader
from pytest_zlayer.dockerfile.instructions import (
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Pair,
    Shell,
    StopSignal,
    User,
    Volume,
)
from pytest_zlayer.dockerfile.operations.image_config import Words
from pytest_zlayer.dockerfile.source import Word
from pytest_zlayer.dockerfile.values.ports import parse_port_spec
from pytest_zlayer.dockerfile.values.stop_signals import check_signal

Describing: TypeAlias = (
    Cmd | Entrypoint | Env | Expose | Healthcheck | Label | Maintainer | Onbuild | Shell
    | StopSignal | User | Volume
)  # fmt: skip


def described(state: StageState, instruction: Describing, reader: WordReader) -> StageState:
    """The state after an expanded instruction; mistakes are noted by ``reader``."""
    config = state.config
    match instruction:
        case Env():
            return state.with_env(_values(instruction.pairs))
        case Cmd():
            argv = command_line(instruction.command, state)
            return replace(state, config=replace(config, cmd=Words(argv)), cmd_set=True)
        case Entrypoint():
            argv = command_line(instruction.command, state)
            cmd = config.cmd if state.cmd_set else None
            config = replace(config, entrypoint=Words(argv), cmd=cmd)
        case Label():
            labels = {**config.labels, **_values(instruction.pairs)}
            config = replace(config, labels=MappingProxyType(labels))
        case Expose():
            ports = _ports(config.exposed_ports, instruction, reader)
            config = replace(config, exposed_ports=ports)
        case Volume():
            config = replace(config, volumes=_volumes(config.volumes, instruction, reader))
        case StopSignal():
            config = replace(config, stop_signal=_signal(instruction, reader))
        case User():
            config = replace(config, user=instruction.user.value)
        case Shell():
            config = replace(config, shell=Words(instruction.command))
        case Healthcheck():
            config = replace(config, healthcheck=instruction.probe)
        case Maintainer():
            config = replace(config, author=instruction.author.value)
        case Onbuild():
            config = replace(config, onbuild=(*config.onbuild, instruction.text))
        case _:
            _never(instruction)
    return replace(state, config=config)


def _values(pairs: Iterable[Pair]) -> dict[str, str]:
    return {pair.name.value: pair.value.value for pair in pairs}


def _ports(before: tuple[str, ...], instruction: Expose, reader: WordReader) -> tuple[str, ...]:
    found = [key for word in instruction.ports for key in _keys(word, reader)]
    return tuple(dict.fromkeys((*before, *found)))


def _keys(word: Word, reader: WordReader) -> tuple[str, ...]:
    try:
        return parse_port_spec(word.value).keys
    except ValueError as problem:
        reader.refuse(str(problem), word.span)
        return ()


def _volumes(before: tuple[str, ...], instruction: Volume, reader: WordReader) -> tuple[str, ...]:
    for word in instruction.paths:
        if not word.value:
            reader.refuse("VOLUME specified can not be an empty string", word.span)
    return tuple(dict.fromkeys((*before, *(word.value for word in instruction.paths))))


def _signal(instruction: StopSignal, reader: WordReader) -> str:
    word = instruction.signal
    try:
        return check_signal(word.value)
    except ValueError as problem:
        reader.refuse(str(problem), word.span)
        return word.value


def _never(value: NoReturn) -> NoReturn:
    raise AssertionError(f"an instruction nobody dispatches: {value!r}")
