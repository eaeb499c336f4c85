"""The examples with services, run as their users run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.services.conftest import ServiceStorage, needs_podman

pytestmark = needs_podman
EXAMPLES = Path(__file__).parents[3] / "examples"
CRASH = """
import pytest

from pytest_zlayer import ready


@pytest.mark.image("..")
@pytest.mark.zlayer_service(ready=ready.log("Ready to accept connections"), name="redis")
def test_crash(zlayer_service):
    zlayer_service.kill("SIGKILL")
    zlayer_service.wait(ready.log("never"), timeout=60)
"""


def run(example: str, folder: Path, storage: ServiceStorage, *options: str) -> str:
    """What pytest says in a copy of an example."""
    copy = folder / example
    shutil.copytree(EXAMPLES / example, copy, dirs_exist_ok=True)
    places = [
        f"--zlayer-root={storage.storage.root}",
        f"--zlayer-runroot={storage.storage.runroot}",
    ]
    argv = [sys.executable, "-m", "pytest", f"--basetemp={folder / 'base'}", *places, *options]
    env = {**storage.environment, "XDG_CACHE_HOME": str(folder / "cache")}
    if example == "database":
        ready_made = os.environ.get("ZLAYER_TEST_REDIS_ROOTFS")
        if ready_made:
            shutil.copyfile(ready_made, copy / "debian.tar")
    done = subprocess.run(
        argv, cwd=copy, env=env, text=True, capture_output=True, check=False, timeout=1800
    )
    return done.stdout + done.stderr


def test_web(tmp_path, service_storage):
    said = run("web", tmp_path, service_storage)
    assert "6 passed" in said, said
    assert {name: one for name, one in service_storage.leftovers().items() if one} == {}


@pytest.mark.network
def test_database(tmp_path, service_storage):
    said = run("database", tmp_path, service_storage)
    assert "6 passed" in said, said
    (tmp_path / "database" / "tests" / "test_crash.py").write_text(CRASH)
    said = run("database", tmp_path, service_storage, "tests/test_crash.py")
    assert "service redis ended before it was ready: exit code 137 (killed by SIGKILL)" in said
    assert "Ready to accept connections" in said
    assert {name: one for name, one in service_storage.leftovers().items() if one} == {}
