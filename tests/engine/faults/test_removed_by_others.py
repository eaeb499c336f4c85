"""Somebody else removes what a run uses: one sentence, and everything else goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.engine.conftest import BUSYBOX, Storage
from tests.engine.faults.conftest import copy_storage
from tests.engine.faults.workspace import BUILT, Workspace

MODULE = f"""
import os, subprocess, traceback
import pytest
from pytest_zlayer import EngineError

TEXT = {BUILT!r}
GONE = "is gone: something else has removed it from the container storage"

def buildah(*words):
    places = ["--root", os.environ["ZLAYER_ROOT"], "--runroot", os.environ["ZLAYER_RUNROOT"]]
    argv = [os.environ["ZLAYER_BUILDAH"], *places, "--storage-driver", "overlay", *words]
    subprocess.run(argv, check=True)

def reported(use):
    with pytest.raises(EngineError) as caught:
        use()
    assert GONE in str(caught.value)
    assert type(caught.value).__module__ == "pytest_zlayer"

def test_image(zlayer_build):
    image = zlayer_build(text=TEXT + "LABEL n=1\\n")
    buildah("rmi", "-f", image.id)
    reported(lambda: image.run(["true"]))
    reported(lambda: image.size)

@pytest.mark.image(text=TEXT)
def test_container(zlayer_container):
    zlayer_container.run(["true"])
    buildah("rm", zlayer_container.name)
    reported(lambda: zlayer_container.run(["true"]))
    reported(lambda: zlayer_container.path("/built").read_text())

def test_afterwards(zlayer_build):
    assert zlayer_build(text=TEXT).run(["cat", "/built"]).stdout == "built\\n"
"""


def test_removed_image_or_container_is_told_in_one_sentence(workspace: Workspace) -> None:
    workspace.project(test_it=MODULE)
    workspace.pytest("--zlayer-prebuild=off")


EMPTIED = f"""
import pytest

@pytest.mark.parametrize("number", range(6))
def test_build(zlayer_build, number):
    text = f"FROM {BUSYBOX}\\nRUN echo {{number}} > /n\\nRUN cat /n\\nCOPY <<A /a\\nx\\nA\\n"
    image = zlayer_build(text=text)
    assert image.run(["cat", "/n"]).stdout == f"{{number}}\\n"
    assert image.path("/a").read_text() == "x\\n"
"""
EMPTY = {
    "buildah": "buildah $PLACES rm -a; buildah $PLACES rmi -a -f",
    "podman": "podman $PLACES system prune -a -f",
}


@pytest.mark.parametrize("program", EMPTY)
def test_storage_that_others_empty_all_the_time(
    template: Storage, tmp_path: Path, program: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    storage = copy_storage(template, tmp_path / "storage")
    workspace = Workspace(storage, tmp_path)
    places = f"--root {storage.root} --runroot {storage.runroot} --storage-driver overlay"
    loop = f"PLACES='{places}'; while :; do {EMPTY[program]}; done"
    workspace.project(test_it=EMPTIED)
    with subprocess.Popen(
        ["sh", "-c", loop],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(storage.tmpdir)},
    ) as others:
        try:
            run = workspace.start("--zlayer-prebuild=off", "-rN")
            assert run.wait() in (0, 1), run.output()
        finally:
            os.killpg(others.pid, signal.SIGKILL)
    workspace.close()
    storage.remove()
    output = run.output()
    for word in ("Traceback", "RecursionError", "KeyError", "AttributeError", "pytest_zlayer/"):
        assert word not in output, output
