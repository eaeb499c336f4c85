"""``--zlayer-list``: which tests need which images, for people and for CI jobs."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.plugin.options import read_settings

if TYPE_CHECKING:
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.builder.plan.build_plan import BuildPlan

_VERSION = 1
# The standard output of a run that pytest was kept from.
_OUTPUT = pytest.StashKey[TextIO]()


@dataclass(slots=True)
class Needed:
    """A declared image, its plan and the tests that need it, by node id.

    ``wanted`` is false as long as only tests need it that are marked to be skipped.
    """

    spec: ImageSpec
    plan: BuildPlan
    wanted: bool = False
    tests: list[str] = field(default_factory=list)


def as_text(needed: Sequence[Needed], rest: int) -> list[str]:
    """Which tests need which images and stages, as lines; ``rest``: how many tests need none."""
    lines = []
    for one in needed:
        lines += [*one.plan.describe(), *(f"    needed by {test}" for test in one.tests), ""]
    return [*lines, f"{rest} {'test needs' if rest == 1 else 'tests need'} no image"]


def as_json(needed: Sequence[Needed]) -> str:
    """The same for programs, on one line: images, and the groups that share nothing.

    ``version`` is 1; ``images``: ``name``, ``dockerfile``, ``context``, ``target``, ``platform``,
    ``build_args`` (names only), ``group``, ``tests`` (node ids), ``stages``; ``groups``: ``id``,
    ``images`` (names), ``tests`` (how many).
    """
    groups = groups_of(needed)
    group_of = {id(one): group.id for group in groups for one in group.images}
    return json.dumps(
        {
            "version": _VERSION,
            "images": [_described(one, group_of[id(one)]) for one in needed],
            "groups": [
                {
                    "id": group.id,
                    "images": [one.plan.label for one in group.images],
                    "tests": len(group.tests),
                }
                for group in groups
            ],
        }
    )


def _described(one: Needed, group: str) -> dict[str, Any]:
    spec = one.plan.spec
    return {
        "name": one.plan.label,
        "dockerfile": one.plan.dockerfile_path,
        "context": spec.context_name if spec.context or spec.context_url else None,
        "target": spec.target,
        "platform": spec.platform,
        "build_args": sorted(spec.build_args),
        "group": group,
        "tests": one.tests,
        "stages": list(one.plan.stage_labels()),
    }


@contextmanager
def standard_output_for_json(config: pytest.Config) -> Iterator[None]:
    """Where JSON is asked for, it stands alone: pytest itself writes to standard error."""
    if not _wants_json(config):
        yield
        return
    config.stash[_OUTPUT] = kept = sys.stdout
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = kept


def _wants_json(config: pytest.Config) -> bool:
    try:
        return bool(read_settings(config)["list"] == "json")
    except pytest.UsageError:
        return False  # refused in a moment, where all settings are


def write_json(config: pytest.Config, needed: Sequence[Needed]) -> None:
    """Write :func:`as_json` to standard output."""
    output = config.stash.get(_OUTPUT, sys.stdout)
    output.write(f"{as_json(needed)}\n")
    output.flush()


@dataclass(frozen=True, slots=True)
class Group:
    """Images that share stages, so that one machine should build them all.

    Attributes:
        id: 8 hex digits, the same on all machines.
        images: its members, in the order in which tests need them.
        tests: the node ids of the tests that need one of them.
    """

    id: str
    images: tuple[Needed, ...]
    tests: frozenset[str]


def groups_of(needed: Sequence[Needed]) -> list[Group]:
    """The images in groups: those of one Dockerfile, and those that others are made from."""
    leaders: dict[str, int] = {}
    of: list[int] = list(range(len(needed)))

    def find(number: int) -> int:
        while of[number] != number:
            number = of[number]
        return number

    for number, one in enumerate(needed):
        for name in _shared_with(one.plan):
            of[find(number)] = find(leaders.setdefault(name, number))
    members: dict[int, list[Needed]] = {}
    for number, one in enumerate(needed):
        members.setdefault(find(number), []).append(one)
    return [_group(images) for images in members.values()]


def _group(images: Sequence[Needed]) -> Group:
    names = sorted(f"{one.plan.label}\0{one.plan.dockerfile_path}" for one in images)
    identifier = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    tests = frozenset(test for one in images for test in one.tests)
    return Group(identifier, tuple(images), tests)


def _shared_with(plan: BuildPlan) -> list[str]:
    """What other images may have in common with this one: its Dockerfile, and what it is made of.

    Images with the same ready image as their base share nothing that would have to be built.
    """
    spec = plan.spec
    if plan.graph is None:
        return [f"ref {spec.ref}"]
    source = plan.dockerfile_path if spec.text is None else str(spec.text)
    return [f"file {source}", *(f"declared {one}" for one in _declared(spec))]


def _declared(spec: Any) -> list[str]:
    """The declarations that an image is made from, and its own name."""
    names = [spec.name] if spec.name else []
    others = [*dict(spec.build_contexts).values(), getattr(spec, "base", None)]
    return names + [str(one.name) for one in others if getattr(one, "name", None)]
