"""Options the verbs share: those of the plugin under their short names."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_zlayer.inputs.declarations import Place
from pytest_zlayer.inputs.options import OPTIONS, Option
from pytest_zlayer.inputs.settings import Settings, Source, environment, environment_source, resolve

if TYPE_CHECKING:
    # argparse has no public name for what add_subparsers() gives.
    Verbs: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_ORIGIN = "command line"
STORAGE = ("buildah", "root", "runroot")


def add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Let a verb take these of the plugin's options, as ``--name``."""
    for option in OPTIONS:
        if option.name in names:
            parser.add_argument(
                f"--{option.name}",
                dest=option.ini,
                default=None,
                help=option.help.replace("%", "%%"),
                **_form(option),
            )


def read_settings(arguments: argparse.Namespace) -> Settings:
    """The settings of a verb: its options, then the environment, then the defaults.

    Raises:
        UsageError: a value that cannot be, naming where it came from.
    """
    variables = environment()
    given = Source(
        describe=lambda _: _ORIGIN,
        texts=lambda option: _texts(option, arguments, variables),
        shown=lambda option: f"--{option.name}",
    )
    return resolve((given, environment_source(variables)), variables=variables)


def given_here(settings: Settings) -> list[str]:
    """The names of the options that stand on the command line."""
    return [name for name, one in settings.changed().items() if one.origin == _ORIGIN]


def here() -> Place:
    """Where relative paths of the command line start."""
    return Place(Path.cwd(), Path.cwd())


def _form(option: Option) -> dict[str, Any]:
    if not option.metavar:
        return {"action": "store_const", "const": "true"}
    form: dict[str, Any] = {"metavar": option.metavar}
    if option.many:
        form["action"] = "append"
    if option.bare is not None:
        form |= {"nargs": "?", "const": option.bare}
    return form


def _texts(
    option: Option, arguments: argparse.Namespace, variables: Mapping[str, str]
) -> list[str] | None:
    value = getattr(arguments, option.ini, None)
    if value is None:
        return None
    texts: list[str] = value if isinstance(value, list) else [value]
    if option.name != "build-arg":
        return texts
    return [one for text in texts for one in _with_value(text, variables)]


def _with_value(text: str, variables: Mapping[str, str]) -> list[str]:
    """As with ``docker build``, a name alone takes its value from the environment, if it can."""
    if "=" in text:
        return [text]
    return [f"{text}={variables[text]}"] if text in variables else []
