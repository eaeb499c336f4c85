"""Why a plain ``assert`` on something of an image failed, in lines below pytest's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_zlayer.checks import words
from pytest_zlayer.checks.difference import ImageDiff, compare_configs
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig, Variables, Words


def explain(operator: str, left: object, right: object) -> list[str] | None:
    """The lines for ``assert left operator right``, or ``None``: pytest's own are best."""
    if operator == "==":
        return _unequal(left, right)
    if operator == "in" and isinstance(right, Mapping) and isinstance(left, str):
        what = getattr(right, "what", None)
        if what is not None:
            return [f"there is no {what} {left}", *words.near_line(left, right, f"{what}s")]
    return None


def _unequal(left: object, right: object) -> list[str] | None:
    if isinstance(left, ImageConfig) and isinstance(right, ImageConfig):
        found = ImageDiff(config=compare_configs(left, right))
        return ["the configurations differ:", *found.lines()]
    if isinstance(left, ImageDiff) and isinstance(right, ImageDiff):
        return ["the differences are not the same:", *left.lines(), "and", *right.lines()]
    if isinstance(left, Words) and isinstance(right, (list, tuple)):
        return _words_lines(list(left), list(right))
    if isinstance(left, Variables) and isinstance(right, Mapping):
        names = sorted({*left, *right})
        unlike = [name for name in names if left.get(name) != right.get(name)]
        lines = [f"{one}: {_value(left, one)}, expected {_value(right, one)}" for one in unlike]
        return [f"the {left.what}s differ:", *lines]
    return _unequal_stats(left, right)


def _unequal_stats(left: Any, right: Any) -> list[str] | None:
    """File facts, and their modes: decimal numbers say nothing to anybody."""
    if type(left).__name__ == type(right).__name__ == "FileStat":
        names = ("kind", "mode", "uid", "gid", "size", "mtime")
        pairs = [(one, getattr(left, one), getattr(right, one)) for one in names]
        unlike = [(one, old, new) for one, old, new in pairs if old != new]
        return [
            "the files differ:",
            *(f"{one} {_fact(one, old)}, expected {_fact(one, new)}" for one, old, new in unlike),
        ]
    if type(left).__name__ == "Mode" and isinstance(right, int):
        return [f"mode {words.mode_text(left)}, expected {words.mode_text(right)}"]
    return None


def _fact(name: str, value: Any) -> str:
    return words.mode_text(value) if name == "mode" else repr(value)


def _words_lines(found: list[Any], expected: list[Any]) -> list[str]:
    for place, (have, want) in enumerate(zip(found, expected, strict=False)):
        if have != want:
            return [f"word {place + 1} is {have!r}, expected {want!r}"]
    more, less = found[len(expected) :], expected[len(found) :]
    return [f"more than expected: {more!r}"] if more else [f"missing: {less!r}"]


def _value(values: Mapping[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "none"
