"""ONBUILD triggers as instructions of the stage that fires them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from pytest_zlayer.dockerfile.instructions import AnyInstruction, Dockerfile, Stage
from pytest_zlayer.dockerfile.parser.parse import parse_trigger
from pytest_zlayer.dockerfile.source import Span


def read_trigger(dockerfile: Dockerfile, stage: Stage, text: str) -> AnyInstruction:
    """The instruction that one trigger of the base of ``stage`` stands for.

    It and all its words stand at the stage's FROM: its own text is in no file the user has.

    Raises:
        DockerfileError: the text is no instruction that can be triggered.
    """
    # BuildKit parses a trigger as a file of its own, in which the default escape is in force.
    trigger = parse_trigger(
        text, span=stage.from_.span, filename=dockerfile.filename, file_text=dockerfile.text
    )
    moved: AnyInstruction = _rebuilt(trigger, stage.from_.span)
    return moved


def _rebuilt(value: Any, span: Span) -> Any:
    """``value`` with every span inside it replaced."""
    if isinstance(value, Span):
        return span
    if isinstance(value, tuple):
        return tuple(_rebuilt(one, span) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [one.name for one in fields(value)]
        return replace(value, **{name: _rebuilt(getattr(value, name), span) for name in names})
    return value
