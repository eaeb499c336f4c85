"""The ``zlayer_service`` marks of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.declarations import unknown_argument
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.markers import UNNAMED, closest_first, declared_images

if TYPE_CHECKING:
    from pytest_zlayer.builder.model.spec import ImageSpec

MARKER = "zlayer_service"
# The arguments of Image.serve; a test compares them.
ARGUMENTS = (
    "cmd", "port", "ports", "env", "user", "workdir", "mounts", "tmpfs", "copy_in", "network",
    "name", "hostname", "read_only", "shm_size", "ulimits", "memory", "privileged", "cap_add",
    "cap_drop", "devices", "labels", "ready", "timeout", "engine",
)  # fmt: skip
MARKER_LINE = (
    f"{MARKER}({', '.join(ARGUMENTS)}): how zlayer_service and zlayer_services run the image of a "
    "test, as the arguments of Image.serve (pytest-zlayer); name= says which image."
)


def mistakes(item: pytest.Item) -> Iterator[Callable[[], ImageSpec]]:
    """What tells of wrong ``zlayer_service`` marks of a test, each by raising ``UsageError``."""
    names = set(getattr(item, "fixturenames", ()))
    if names.isdisjoint({"zlayer_service", "zlayer_services"}):
        return
    try:
        with LOADING:
            from pytest_zlayer.services.arguments import check_values

        for mark in _marks(item):
            check_values(_arguments(mark))
        _refuse_doubles(item)
        if "zlayer_services" in names:
            _refuse_none(item)
            known = {one.name for one in declared_images(item)}
            refuse_unknown({name for name, _ in arguments_by_name(item)} - known, known)
    except UsageError as error:
        problem = error

        def fail() -> ImageSpec:
            raise problem

        yield fail


def _marks(item: Any) -> Iterator[pytest.Mark]:
    """The marks of a test, the closest first."""
    return (mark for mark in closest_first(item) if mark.name == MARKER)


def _arguments(mark: pytest.Mark) -> dict[str, Any]:
    if len(mark.args) > 1 or (mark.args and "cmd" in mark.kwargs):
        raise UsageError(f"the {MARKER} marker takes one positional argument, the command")
    for name in mark.kwargs:
        if name not in ARGUMENTS:
            raise unknown_argument(name, f"the {MARKER} marker", ARGUMENTS)
    return {**({"cmd": mark.args[0]} if mark.args else {}), **mark.kwargs}


def arguments_of_one(item: Any) -> dict[str, Any]:
    """The arguments for ``zlayer_service``: of the closest mark without a name, else of any."""
    marks = list(_marks(item))
    unnamed = [one for one in marks if "name" not in one.kwargs]
    chosen = (unnamed or marks)[:1]
    return _arguments(chosen[0]) if chosen else {}


def arguments_by_name(item: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The marks by name, in the order in which they are written.

    Decorators work from the bottom up, so the closest of those that stand together was written
    last.
    """
    found: dict[str, dict[str, Any]] = {}
    for mark in _marks(item):
        arguments = _arguments(mark)
        found.setdefault(str(arguments.get("name") or UNNAMED), arguments)
    yield from reversed(found.items())


def _refuse_doubles(item: pytest.Item) -> None:
    """Two marks of one name on the same function: neither is closer than the other."""
    callspec = getattr(item, "callspec", None)
    chosen = [id(one) for one in getattr(callspec, "marks", ())]
    own = [one for one in item.own_markers if one.name == MARKER and id(one) not in chosen]
    names = [str(one.kwargs.get("name") or UNNAMED) for one in own]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise UsageError(
            f"two {MARKER} marks are for the same image: {doubles[0]}",
            hint="give each image a name, and each mark the name of its image",
        )


def _refuse_none(item: pytest.Item) -> None:
    if not any(_marks(item)):
        raise UsageError(
            f"the test has no {MARKER} mark, so zlayer_services has no services",
            hint=f'add one for each image that is to run: @pytest.mark.{MARKER}(name="…")',
        )


def refuse_unknown(names: set[str], known: set[str]) -> None:
    """Raises ``UsageError`` if there are ``names``, which marks have given to no image."""
    if names:
        raise UsageError(
            f"the {MARKER} marker names an image that the test does not declare: "
            f"{', '.join(sorted(names))}",
            hint=f"declared are {', '.join(sorted(known))}" if known else "declare it with "
            '@pytest.mark.image("path/of/the/context", name="…")',
        )  # fmt: skip
