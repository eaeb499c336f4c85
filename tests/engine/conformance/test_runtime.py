"""RUN started by the OCI runtime itself, against the same RUN started by ``buildah run``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pytest_zlayer.errors import ZlayerError

from ..conftest import Storage, make_storage
from .case import Case
from .cases.run import CASES
from .snapshot import compare, compare_config
from .test_conformance import fail_if_any, reason
from .workbench import Workbench


@dataclass(frozen=True)
class Both:
    """A workbench for each way."""

    direct: Workbench
    by_buildah: Workbench


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    before = os.umask(0o022)
    storages: list[Storage] = []
    benches: list[Workbench] = []
    try:
        for isolation in ("auto", "buildah"):
            storages.append(make_storage(tmp_path_factory.mktemp(f"storage-{isolation}")))
            place = tmp_path_factory.mktemp(f"bench-{isolation}")
            benches.append(Workbench(storages[-1], place, isolation=isolation))
        if "chroot" in [bench.engine.isolation for bench in benches]:
            pytest.skip("no OCI runtime works here")
        yield Both(*benches)
    finally:
        for bench in benches:
            bench.close()
        for storage in storages:
            storage.remove()
        os.umask(before)


def test_one_way_is_direct_and_the_other_is_not(both: Both) -> None:
    assert both.direct.engine.describe().endswith("started directly)")
    assert both.by_buildah.engine.describe().endswith("by buildah run)")


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CASES])
def test_image_is_the_same(case: Case, both: Both) -> None:
    if case.as_root and os.geteuid() != 0:
        pytest.skip("an ordinary user cannot make this context")
    found, expected = built(both.direct, case), built(both.by_buildah, case)
    if isinstance(found, ZlayerError) or isinstance(expected, ZlayerError):
        assert isinstance(found, ZlayerError)
        assert isinstance(expected, ZlayerError)
        assert reason(found) == reason(expected)
        return
    one, other = both.direct, both.by_buildah
    differences = [
        *compare_config(one.config(found), other.config(expected)),
        *compare(one.snapshot(found), other.snapshot(expected)),
    ]
    fail_if_any("what buildah run makes", map(str, differences))


def built(workbench: Workbench, case: Case) -> str | ZlayerError:
    """Id of the image, or why there is none."""
    try:
        return workbench.build(case, workbench.prepare(case)).id
    except ZlayerError as error:
        return error
