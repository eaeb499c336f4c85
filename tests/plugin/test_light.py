"""A run that needs no image loads nothing of what reports are made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROGRAM = """
import json, sys, pytest
status = pytest.main(["-q", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", sys.argv[1]])
print()
print(json.dumps([int(status), [name for name in sys.modules if name.startswith("pytest_zlayer")]]))
"""


def test_a_run_without_images_loads_no_report(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "GITLAB_"))}
    argv = (sys.executable, "-c", PROGRAM, str(tmp_path))
    done = subprocess.run(
        argv, check=True, capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    status, loaded = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    heavy = {f"pytest_zlayer.report.{name}" for name in ("model", "recorder", "running", "wire")}
    assert ({*heavy, "pytest_zlayer.events"} & set(loaded)) == set()
