"""Every case, built by this project, against BuildKit itself."""

from __future__ import annotations

import os

import pytest

from pytest_zlayer.errors import ZlayerError

from . import cases
from .buildkit import BuildKit, BuildKitFailed
from .case import Case
from .test_conformance import fail_if_any, reason, reference_differences
from .workbench import Workbench


@pytest.fixture(scope="session")
def buildkit(workbench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> BuildKit:
    socket = os.environ["ZLAYER_TEST_DOCKER"]
    return BuildKit(workbench, socket, tmp_path_factory.mktemp("buildkit"))


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in cases.ALL])
def test_image_is_what_buildkit_builds(
    case: Case, workbench: Workbench, buildkit: BuildKit
) -> None:
    place = workbench.prepare(case)
    if case.fails is not None:
        with pytest.raises(BuildKitFailed) as refused:
            buildkit.build(case, place)
        with pytest.raises(ZlayerError) as caught:
            workbench.build(case, place)
        said = str(refused.value)
        if reason(caught.value) not in said:
            pytest.fail(
                f"OURS {reason(caught.value)} THEIRS {said.splitlines()[-1]}", pytrace=False
            )
        return
    image = workbench.build(case, place).id
    try:
        reference = buildkit.build(case, place)
    except BuildKitFailed as error:
        pytest.fail(
            "BuildKit failed: " + "\n".join(str(error).strip().splitlines()[-3:]), pytrace=False
        )
    found = list(reference_differences(workbench, image, reference))
    fail_if_any("what BuildKit builds", map(str, found))
