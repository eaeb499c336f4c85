"""Somebody else removes what a run uses: one sentence, and everything else goes on."""

from __future__ import annotations

from tests.engine.faults.ground import BUILT, Ground

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

def told(use):
    with pytest.raises(EngineError) as caught:
        use()
    assert GONE in str(caught.value)
    assert type(caught.value).__module__ == "pytest_zlayer"

def test_image(zlayer_build):
    image = zlayer_build(text=TEXT + "LABEL n=1\\n")
    buildah("rmi", "-f", image.id)
    told(lambda: image.run(["true"]))
    told(lambda: image.size)

@pytest.mark.image(text=TEXT)
def test_container(zlayer_container):
    zlayer_container.run(["true"])
    buildah("rm", zlayer_container.name)
    told(lambda: zlayer_container.run(["true"]))
    told(lambda: zlayer_container.path("/built").read_text())

def test_afterwards(zlayer_build):
    assert zlayer_build(text=TEXT).run(["cat", "/built"]).stdout == "built\\n"
"""


def test_removed_image_or_container_is_told_in_one_sentence(ground: Ground) -> None:
    ground.project(test_it=MODULE)
    ground.pytest("--zlayer-prebuild=off")
