"""The CI files of the example, played on one machine."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLAY = Path(__file__).parents[3] / "examples" / "ci" / "play.py"
NEEDED = (("jq",), ("pytest_split", "yaml"))


@pytest.mark.parametrize("kind", ["github", "gitlab", "kubernetes"])
def test_every_job_passes_and_tests_run_no_step(kind: str) -> None:
    programs, modules = NEEDED
    missing = [one for one in programs if not shutil.which(one)]
    missing += [one for one in modules if importlib.util.find_spec(one) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    done = subprocess.run(
        [sys.executable, str(PLAY), kind], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kind} " in done.stdout
    assert " layers fetched" in done.stdout
