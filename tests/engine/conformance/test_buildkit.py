"""Every case, built by this project, against BuildKit itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from pytest_zlayer.errors import ZlayerError

from . import cases
from .buildkit import BuildKit, BuildKitFailed
from .case import Case
from .snapshot import Difference
from .test_conformance import (
    fail_if_any,
    reason,
    reference_differences,
    unexplained,
    unused_reasons,
)
from .workbench import Workbench


@pytest.fixture(scope="module")
def buildkit(workbench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> BuildKit:
    socket = os.environ["ZLAYER_TEST_DOCKER"]
    return BuildKit(workbench, socket, tmp_path_factory.mktemp("buildkit"))


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in cases.ALL])
def test_image_is_what_buildkit_builds(
    case: Case, workbench: Workbench, buildkit: BuildKit
) -> None:
    if "panic" in case.buildkit:
        pytest.skip("BuildKit panics, and ends what others build")
    place = workbench.prepare(case)
    ours, refused = attempt(lambda: workbench.build(case, place).id)
    theirs, refused_there = attempt(lambda: buildkit.build(case, place))
    if ours and theirs:
        found = list(reference_differences(workbench, ours, theirs))
    else:
        found = list(compare_refusals(refused, refused_there))
    fail_if_any("BuildKit", unexplained(case.buildkit, found))
    assert unused_reasons(case.buildkit, found) == []


def attempt(build: Callable[[], str]) -> tuple[str, str]:
    """The id of the image, or why there is none."""
    try:
        return build(), ""
    except ZlayerError as error:
        return "", reason(error)
    except BuildKitFailed as error:
        return "", str(error).strip()


def compare_refusals(ours: str, theirs: str) -> Iterator[Difference]:
    """Whether both refuse, and say the same. BuildKit stops at the first mistake."""
    last = theirs.rpartition("\n")[2]
    if not ours or not theirs:
        yield Difference("build", ours or "built", last or "built")
    elif ours.partition("\n")[0] not in theirs:
        yield Difference("message", ours, last)
