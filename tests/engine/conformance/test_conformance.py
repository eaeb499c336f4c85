"""Every case, built by this project, against ``buildah build`` or what the case states."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

import pytest
from packaging.version import Version

from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.errors import ZlayerError

from . import cases
from .case import Case
from .snapshot import Difference, compare, compare_config, compare_stated
from .workbench import Workbench

# The reasons are those of Debian 12's buildah; later ones differ less.
NEWER = Version("1.29")


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in cases.ALL])
def test_image_is_as_it_should_be(case: Case, workbench: Workbench) -> None:
    if case.as_root and os.geteuid() != 0:
        pytest.skip("an ordinary user cannot make this context")
    place = workbench.prepare(case)
    if case.fails is not None:
        with pytest.raises(ZlayerError) as caught:
            workbench.build(case, place)
        assert reason(caught.value) == case.fails
        return
    image = workbench.build(case, place).id
    fail_if_any("what the case states", stated_differences(case, workbench, image))
    if case.since is not None and workbench.version >= Version(case.since):
        reference = workbench.build_reference(case, place)
        found = list(reference_differences(workbench, image, reference))
        fail_if_any("buildah build", unexplained(case.differs, found))
        if workbench.version < NEWER:
            assert unused_reasons(case.differs, found) == []


def fail_if_any(expected: str, differences: Iterable[str]) -> None:
    """Show all differences at once, without the machinery that found them."""
    lines = [f"  {one}" for one in differences]
    if lines:
        pytest.fail("\n".join([f"this is not {expected}:", *lines]), pytrace=False)


def stated_differences(case: Case, workbench: Workbench, image: str) -> Iterator[str]:
    """Where the image is not what the case says."""
    for name, value in (case.config or {}).items():
        found = workbench.config(image).get(name)
        if found != value:
            yield str(Difference(f"config {name}", found, value))
    if case.tree is not None:
        base = case.base if case.base == "scratch" else f"localhost/{case.base}:latest"
        before = workbench.snapshot(base)
        found = compare_stated(workbench.snapshot(image), before, case.tree)
        yield from (str(one) for one in found)


def reference_differences(workbench: Workbench, image: str, reference: str) -> Iterator[Difference]:
    """Where the image is not the reference."""
    yield from compare_config(workbench.config(image), workbench.config(reference))
    yield from compare(workbench.snapshot(image), workbench.snapshot(reference))


def unexplained(reasons: Iterable[str], differences: Iterable[Difference]) -> Iterator[str]:
    """The differences for which there is no reason."""
    for one in differences:
        if not any(fnmatchcase(one.what, pattern) for pattern in reasons):
            yield str(one)


def unused_reasons(reasons: Iterable[str], differences: list[Difference]) -> list[str]:
    """What is said to differ, and does not."""
    return [
        pattern
        for pattern in reasons
        if not any(fnmatchcase(one.what, pattern) for one in differences)
    ]


def reason(error: ZlayerError) -> str:
    """The message itself, without where it happened and which context was looked in."""
    match error:
        case DockerfileError():
            messages = [one.message for one in error.diagnostics]
            return "\n".join(one.partition(" in the build context ")[0] for one in messages)
        case BuildError():
            return error.reason
    return error.message


def test_names_tell_cases_apart() -> None:
    names = [case.name for case in cases.ALL]
    assert sorted(names) == sorted(set(names))


def test_there_are_many_cases() -> None:
    assert len(cases.ALL) >= 150
