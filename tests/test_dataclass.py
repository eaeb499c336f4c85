"""The decorator for values: it does what that of the standard library does."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import KW_ONLY, FrozenInstanceError, field
from typing import Any, ClassVar

import pytest

from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    marks: list[int] = field(default_factory=list)
    _: KW_ONLY
    hidden: str = field(default="s", repr=False)


@dataclass(frozen=True, slots=True)
class Named(Point):
    name: str = "n"


@dataclass(slots=True)
class Counter:
    count: int
    double: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.double = self.count * 2


@dataclass(frozen=True, slots=True, order=True)
class Version:
    major: int
    minor: int = 0


@dataclass(slots=True, eq=False)
class Thing:
    value: int


@dataclass(frozen=True)
class Wide:
    value: int = 3


def test_object_has_what_it_was_made_with() -> None:
    made = Point(1, hidden="t")
    assert (made.x, made.y, made.marks, made.hidden, made.kind) == (1, 2, [], "t", "point")
    assert repr(made) == "Point(x=1, y=2, marks=[])"
    assert Point(1).marks is not Point(1).marks


@pytest.mark.parametrize(
    ("positional", "named"), [((), {}), ((1, 2, [], "s"), {}), ((1,), {"x": 1}), ((1,), {"z": 1})]
)
def test_wrong_arguments_are_refused(positional: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="argument"):
        Point(*positional, **named)


def test_equal_values_are_equal_and_hash_alike() -> None:
    assert Version(1) == Version(1, 0) != Version(2)
    assert hash(Version(1)) == hash(Version(1, 0))
    assert Point(1) != Named(1)
    assert Thing(1) != Thing(1)
    assert len({Thing(1), Thing(1)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter(1))


def test_values_are_ordered() -> None:
    assert min([Version(2), Version(1, 5), Version(1)]) == Version(1)
    assert Version(1) <= Version(1) < Version(1, 1) > Version(1) >= Version(1)


@pytest.mark.parametrize("value", [Point(1), Named(1), Wide()])
def test_frozen_values_stay_as_they_are(value: Any) -> None:
    name = dataclasses.fields(value)[0].name
    with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(value, name, 5)
    with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(value, name)


def test_slots_leave_no_room_for_more() -> None:
    assert not hasattr(Named(1), "__dict__")
    with pytest.raises(AttributeError):
        Counter(1).more = 1  # type: ignore[attr-defined]


def test_base_and_derived() -> None:
    assert repr(Named(1, name="a")) == "Named(x=1, y=2, marks=[], name='a')"
    assert Named.__match_args__ == ("x", "y", "marks", "name")


def test_what_comes_after_making() -> None:
    assert Counter(4).double == 8


def test_functions_of_the_standard_library() -> None:
    assert dataclasses.is_dataclass(Point)
    assert [one.name for one in dataclasses.fields(Named)] == [
        "x", "y", "marks", "hidden", "name",
    ]  # fmt: skip
    assert dataclasses.replace(Point(1), y=5, hidden="u") == Point(1, 5, hidden="u")
    assert dataclasses.asdict(Named(1)) == {
        "x": 1, "y": 2, "marks": [], "hidden": "s", "name": "n",
    }  # fmt: skip


@pytest.mark.parametrize("value", [Point(1, marks=[3], hidden="v"), Named(2), Counter(3), Wide(4)])
def test_values_are_copied(value: Any) -> None:
    assert copy.deepcopy(value) == value
    assert copy.copy(value) == value


def test_values_are_matched() -> None:
    match Point(7, 8):
        case Point(x, y, marks):
            assert (x, y, marks) == (7, 8, [])


def test_class_of_the_standard_library_stands_on_ours() -> None:
    @dataclasses.dataclass(frozen=True)
    class Derived(Version):
        name: str = "n"

    assert Derived(1, name="a") == Derived(1, 0, "a")
