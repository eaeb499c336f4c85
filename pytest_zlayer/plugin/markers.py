"""The ``image`` marks of a test: which ones are read, which one wins, what they declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pytest

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.declarations import Place, declare, marker_signature
from pytest_zlayer.inputs.matrix import Cell, cells, parse_matrix
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.plugin.state import state_of

if TYPE_CHECKING:
    from pytest_zlayer.builder.model.spec import ImageSpec

OWN_MARKER = "zlayer_image"
MATRIX_FIXTURE = "zlayer_matrix"
# What reads a test's declarations: a plain ``image`` mark counts only next to one of them.
READING_FIXTURES = frozenset(
    {"zlayer_image", "zlayer_images", "zlayer_container", "zlayer_service", "zlayer_services"}
)
UNNAMED = "default"
# Fixtures that take an image as a parameter (parametrize(..., indirect=True)).
PARAMETRIZED = ("zlayer_image", "zlayer_images", "zlayer_container")

_ARGUMENTS = marker_signature()
_MEANING = "the container image a test needs (pytest-zlayer)"


@dataclass(frozen=True, slots=True)
class Declared:
    """What one mark or parameter of a test declares, under the name it goes by there."""

    name: str
    make: Callable[[], ImageSpec]


def marker_lines(plain: str) -> tuple[str, str]:
    """What ``pytest --markers`` shows; ``plain`` is what the marker is called in this project."""
    return (
        f"{plain}{_ARGUMENTS}: {_MEANING}; it counts only next to a fixture of pytest-zlayer.",
        f"{OWN_MARKER}{_ARGUMENTS}: {_MEANING}; for projects that use 'image' for something else.",
    )


def declared_images(item: pytest.Item, *, reading: bool | None = None) -> list[Declared]:
    """The images a test declares, one for each name; ``make`` checks the arguments.

    ``reading`` says whether one of our fixtures reads them; ``None``: as the test's arguments say.
    """
    parameters = _parameters(item)
    place = Place(item.path.parent, item.config.rootpath)
    found = {
        name: _from_mark(name, mark, place, parameters) for name, mark in _winners(item, reading)
    }
    for fixture in PARAMETRIZED:
        for one in _from_parameters(parameters.get(fixture), fixture, place):
            found[one.name] = one
    return [Declared(one.name, _based(one, found)) for one in found.values()]


def _based(declared: Declared, known: Mapping[str, Declared]) -> Callable[[], ImageSpec]:
    return lambda: _with_named_base(declared, known, ())


def _with_named_base(
    declared: Declared, known: Mapping[str, Declared], above: tuple[str, ...]
) -> ImageSpec:
    """The declaration, with the image put in that its ``base`` names."""
    chain = (*above, declared.name)
    if declared.name in above:
        circle = chain[above.index(declared.name) :]
        raise UsageError(f"images are based on each other: {' -> '.join(circle)}")
    spec = declared.make()
    if not isinstance(spec.base, str):
        return spec
    if spec.base not in known:
        names = ", ".join(sorted(known))
        raise UsageError(
            f"base={spec.base!r} names no image that the test declares", hint=f"there are: {names}"
        )
    return replace(spec, base=_with_named_base(known[spec.base], known, chain))


def the_image(images: Sequence[Declared]) -> Declared:
    """The image ``zlayer_image`` stands for: the unnamed one, or the only one.

    Raises:
        UsageError: there is none, or it is not clear which one is meant.
    """
    if not images:
        raise UsageError(
            "the test declares no image",
            hint='add a mark: @pytest.mark.image("path/of/the/context")',
        )
    if len(images) == 1:
        return images[0]
    unnamed = next((one for one in images if one.name == UNNAMED), None)
    if unnamed is None:
        names = ", ".join(sorted(one.name for one in images))
        raise UsageError(
            f"the test declares several images ({names}), so zlayer_image is none of them",
            hint="use zlayer_images, a mapping of names to images",
        )
    return unnamed


def parametrize_matrix(metafunc: pytest.Metafunc) -> None:
    """Make a test of each cell of the matrices its marks hold."""
    if MATRIX_FIXTURE not in metafunc.fixturenames:
        return
    found = cells(_matrices(metafunc.definition))
    if found:
        metafunc.parametrize(MATRIX_FIXTURE, found, ids=[str(one) for one in found], indirect=True)


def parameter_id(value: object, argument: str) -> str | None:
    """A readable id for an image as a parameter, or ``None`` for anything else."""
    if isinstance(value, PurePath):
        return value.as_posix() if argument in PARAMETRIZED else None
    # A parameter cannot be an ImageSpec before its module is loaded; loading it here would cost
    # every parametrized test of projects that have none.
    if type(value).__name__ != "ImageSpec":
        return None
    with LOADING:
        from pytest_zlayer.builder.model.spec import ImageSpec

    return spec_label(value) if isinstance(value, ImageSpec) else None


def spec_label(spec: ImageSpec) -> str:
    """A declaration in a few words: its name, or what is built with which values."""
    if spec.name or spec.ref:
        return spec.name or str(spec.ref)
    label = spec.context_name if spec.context or spec.context_url else "inline"
    if spec.dockerfile:
        label += f"/{spec.dockerfile}"
    if spec.target:
        label += f":{spec.target}"
    return "_".join([label, *(f"{name}-{one}" for name, one in spec.build_args.items())])


def _parameters(item: pytest.Item) -> Mapping[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


def _winners(item: pytest.Item, reading: bool | None = None) -> Iterator[tuple[str, pytest.Mark]]:
    """The closest mark of each name, the closest name first."""
    seen = set()
    for mark in _ours(item, reading):
        name = _mark_name(mark)
        if name not in seen:
            seen.add(name)
            yield name, mark


def _ours(item: pytest.Item, reading: bool | None) -> list[pytest.Mark]:
    if reading is None:
        reading = not READING_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
    plain = state_of(item.config).settings["marker"]
    names = {OWN_MARKER, plain} if reading else {OWN_MARKER}
    return [mark for mark in closest_first(item) if mark.name in names]


def closest_first(item: pytest.Item) -> Iterator[pytest.Mark]:
    """All marks: those of ``pytest.param``, then the function's, its classes', its module's."""
    callspec = getattr(item, "callspec", None)
    chosen = list(callspec.marks) if callspec is not None else []
    yield from chosen
    for node in reversed(item.listchain()):
        marks = _by_class(node) if isinstance(node, pytest.Class) else node.own_markers
        yield from (mark for mark in marks if not any(mark is one for one in chosen))


def _by_class(node: pytest.Class) -> list[pytest.Mark]:
    """A class's marks with those it inherits last; pytest lists them the other way round."""
    depths: dict[int, int] = {}
    for depth, cls in enumerate(node.obj.__mro__):
        marks = cls.__dict__.get("pytestmark", [])
        for mark in marks if isinstance(marks, list) else [marks]:
            depths.setdefault(id(getattr(mark, "mark", mark)), depth)
    return sorted(node.own_markers, key=lambda mark: depths.get(id(mark), 0))


def _mark_name(mark: pytest.Mark) -> str:
    name = mark.kwargs.get("name")
    if name is None and mark.args:
        name = getattr(mark.args[0], "name", None) if not _is_path(mark.args[0]) else None
    return name if isinstance(name, str) and name else UNNAMED


def _is_path(value: object) -> bool:
    return isinstance(value, (str, PurePath))


def _from_mark(
    name: str, mark: pytest.Mark, place: Place, parameters: Mapping[str, Any]
) -> Declared:
    def make() -> ImageSpec:
        kwargs = dict(mark.kwargs)
        matrix = kwargs.pop("matrix", None)
        cell = parameters.get(MATRIX_FIXTURE)
        values = cell.values_for(name) if isinstance(cell, Cell) else {}
        if matrix is not None and parse_matrix(matrix).keys() != values.keys():
            raise UsageError("matrix= works on functions, classes and modules, not in pytest.param")
        return declare(mark.args, kwargs, place=place, what=f"the {mark.name} marker", cell=values)

    return Declared(name, make)


def _from_parameters(value: Any, fixture: str, place: Place) -> Iterator[Declared]:
    """What a parameter declares: one image, or several by name; nothing without a parameter."""
    if value is None:
        return
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield _from_parameter(str(name), one, fixture, place)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield _from_parameter(_parameter_name(one), one, fixture, place)
    else:
        yield _from_parameter(_parameter_name(value), value, fixture, place)


def _parameter_name(value: Any) -> str:
    name = None if _is_path(value) else getattr(value, "name", None)
    return name if isinstance(name, str) else UNNAMED


def _from_parameter(name: str, value: Any, fixture: str, place: Place) -> Declared:
    what = f"the parameter of {fixture}"
    more = {} if name in (UNNAMED, getattr(value, "name", None)) else {"name": name}
    return Declared(name, lambda: declare([value], more, place=place, what=what))


def _matrices(item: pytest.Item) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    for name, mark in _winners(item):
        # A wrong one is reported with all other mistakes once the tests are collected.
        with suppress(UsageError):
            yield name, parse_matrix(mark.kwargs.get("matrix") or {})
