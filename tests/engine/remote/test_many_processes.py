"""Many workers and many machines that share layers through a registry."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.project import Project
from tests.engine.remote.conftest import Machine, Shared, of

WORKERS = 8
# A worker that ends stops what it still fetches, and another one has to fetch it again: here all
# workers wait for each other.
ONE_IMAGE_EACH = f"""\
import os, pathlib, time
import pytest

@pytest.mark.parametrize("number", [
    pytest.param(number, marks=pytest.mark.image(
        "shared", build_args={{"NUMBER": str(number)}}, name=f"image-{{number}}"
    ))
    for number in range({WORKERS})
])
def test_image(zlayer_image, number):
    assert zlayer_image.path("/own").read_text() == f"{{number}}\\n"
    assert zlayer_image.path("/data").read_text() == "hello\\n"
    if "PYTEST_XDIST_WORKER" in os.environ:
        pathlib.Path(f"passed-{{number}}").touch()
        limit = time.monotonic() + 90
        while len(list(pathlib.Path().glob("passed-*"))) < {WORKERS} and time.monotonic() < limit:
            time.sleep(0.05)
"""
DOCKERFILE = f"""\
FROM {BUSYBOX}
COPY data /
ARG NUMBER
RUN echo $NUMBER > /own
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(
        tmp_path / "project",
        {
            "test_it.py": ONE_IMAGE_EACH,
            "shared/Dockerfile": DOCKERFILE,
            "shared/data": "hello\n",
            "pytest.ini": "[pytest]\n",
        },
    )


def project(shared: Shared, folder: Path, machine: Machine | None = None) -> Project:
    storage = (machine or shared.machine()).storage
    return Project(folder, storage, CONTAINERS_REGISTRIES_CONF=str(shared.conf))


def test_workers_of_one_machine_ask_for_everything_once(shared: Shared, folder: Path) -> None:
    place = shared.place.repository
    first = project(shared, folder)
    first.pytest("--zlayer-prebuild=only", f"--zlayer-cache-to={place}")
    shared.proxy.requests.clear()
    second = project(shared, folder)
    said = second.pytest("-n", str(WORKERS), f"--zlayer-cache-from={place}")
    assert f"{WORKERS} passed" in said
    assert f"cache place {place}: " in said
    blobs = Counter(one for one in of(shared.proxy, "GET") if "/blobs/" in one)
    assert len(blobs) >= 1 + 2 * WORKERS  # the layer of all, and a layer and a configuration each
    assert set(blobs.values()) == {1}
    assert len([one for one in shared.proxy.requests if "/tags/list" in one]) == 1
    assert not list((second.storage.root / "zlayer" / "cache" / "sessions").iterdir())


def test_shards_of_prebuilt_images_run_no_step(shared: Shared, folder: Path) -> None:
    pytest.importorskip("pytest_split")
    place = f"--zlayer-cache-from={shared.place.repository}"
    project(shared, folder).pytest(
        "--zlayer-prebuild=only", f"--zlayer-cache-to={shared.place.repository}"
    )
    shared.proxy.requests.clear()
    passed = 0
    for number in range(3):
        shard = project(shared, folder)
        report = folder / f"report-{number}.json"
        said = shard.pytest(
            "-p", "pytest-split", "--splits=3", f"--group={number + 1}", place,
            f"--zlayer-report={report}",
        )  # fmt: skip
        built = json.loads(report.read_bytes())["builds"]
        steps = [step for one in built for stage in one["stages"] for step in stage["steps"]]
        assert steps
        assert {step["state"] for step in steps} == {"cached"}
        passed += int(said.rpartition(" passed")[0].split()[-1])
    assert passed == WORKERS
    assert of(shared.proxy, "POST", "PUT", "PATCH") == []
