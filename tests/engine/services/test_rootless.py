"""Services of an ordinary user: tests of both engines once more, in a user namespace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOP = HERE.parents[2]
CHOSEN = (
    "takes_the_strongest or podman_serves_on_the_network "
    "or auto and (listens_where or see_its_processes or stopped_and_killed or answers_a_second "
    "or later_is_in or ends_with_the_container) "
    "or chroot and not without and (listens_where or see_its_processes or answers_a_second)"
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A directory that an ordinary user can reach; below pytest's own nobody else can."""
    made = Path("/var/tmp") / f"ordinary-{os.getpid()}-{tmp_path.name}"
    yield made
    for directory in (made, made.with_name(f"{made.name}.etc")):
        subprocess.run(["rm", "-rf", "--one-file-system", str(directory)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="this is an ordinary user already")
def test_services_of_an_ordinary_user(home: Path) -> None:
    reachable = ":".join(dict.fromkeys([sys.base_prefix, str(TOP), sys.prefix]))
    done = subprocess.run(
        [
            str(HERE.parent / "as_ordinary_user.sh"), str(home), reachable,
            "env", "PYTHONDONTWRITEBYTECODE=1", f"PYTHONPATH={TOP}",
            sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
            "-c", str(TOP / "pyproject.toml"), "--rootdir", str(TOP),
            "--basetemp", str(home / "pytest"), "-k", CHOSEN,
            str(HERE / "test_runtime.py"), str(HERE / "test_container.py"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout, done.stdout
