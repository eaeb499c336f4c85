"""The options as pytest knows them: registered on its parser, read from its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.options import OPTIONS, Option
from pytest_zlayer.inputs.settings import Settings, Source, environment, environment_source, resolve

GROUP = "zlayer"


def add_options(parser: pytest.Parser) -> None:
    """Give every option its command line form and its ini form."""
    group = parser.getgroup(GROUP, "container images (pytest-zlayer)")
    for option in OPTIONS:
        group.addoption(
            option.flag,
            dest=option.ini,
            default=None,
            help=option.help.replace("%", "%%"),
            **_command_line_form(option),
        )
        for word in option.words:
            group.addoption(
                f"{option.flag}={word}",
                dest=option.ini,
                default=None,
                action="store_const",
                const=word,
                help=f"the same, written as {word}",
            )
        parser.addini(option.ini, option.help, type=_ini_type(option), default=None)


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this run: command line, then environment, then ini file, then default.

    Raises:
        pytest.UsageError: a value that cannot be, naming where it came from.
    """
    variables = environment()
    if config.getoption("help", default=False) or config.getoption("version", default=0):
        # A wrong value must not keep people from ``--help``.
        return resolve((), variables=variables)
    sources = (_command_line(config), environment_source(variables), _ini(config))
    try:
        return resolve(sources, variables=variables)
    except UsageError as problem:
        raise pytest.UsageError(str(problem)) from problem


def _command_line_form(option: Option) -> dict[str, Any]:
    # Texts are converted later, by us: argparse would not name the option's ini or environment
    # name, and would print its whole usage.
    if not option.metavar:
        return {"action": "store_const", "const": "true"}
    if option.many:
        return {"action": "append", "metavar": option.metavar}
    if option.bare is not None:
        return {"nargs": "?", "const": option.bare, "metavar": option.metavar}
    return {"metavar": option.metavar}


def _ini_type(option: Option) -> Any:
    if option.many:
        return "linelist"
    # Only from 9.2 on may an ini option be declared to take TOML's numbers and booleans too.
    return str | bool | int | float if pytest.version_tuple >= (9, 2) else "string"


def _command_line(config: pytest.Config) -> Source:
    def texts(option: Option) -> Sequence[str] | None:
        value = config.getoption(option.ini, default=None)
        return None if value is None else _as_texts(value)

    return Source(
        describe=lambda _: "command line",
        texts=texts,
        shown=lambda option: option.flag,
    )


def _ini(config: pytest.Config) -> Source:
    def texts(option: Option) -> Sequence[str] | None:
        value = config.getini(option.ini)
        return None if value is None or value == "" else _as_texts(value)

    where = config.inipath.name if config.inipath else "the ini options"
    return Source(
        describe=lambda _: "ini",
        texts=texts,
        shown=lambda option: f"{option.ini} in {where}",
    )


def _as_texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
