"""The engine for an ordinary user: its tests once more, in a user namespace.

Run as an ordinary user with subordinate ids, all other tests do that by themselves. By hand:
``tests/engine/as_ordinary_user.sh HOME PYTHON_PREFIX:REPOSITORY python -m pytest tests/engine``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOP = HERE.parent.parent
CHOSEN = (
    "auto and (hidden_environment_reaches or background_process or deaf or network_none "
    "or user_and_directory or to_the_user_of_the_engine and 9- or swept_by_the_next) "
    "or outlive_a_killed_agent "
    "or chroot and lines_come_by_stream or files_are_read_without"
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A directory that an ordinary user can reach; below pytest's own nobody else can."""
    made = Path("/var/tmp") / f"ordinary-{os.getpid()}-{tmp_path.name}"
    yield made
    for directory in (made, made.with_name(f"{made.name}.etc")):
        subprocess.run(["rm", "-rf", "--one-file-system", str(directory)], check=True)


def run_as_ordinary_user(home: Path, chosen: str, *files: Path) -> None:
    """Run the chosen tests of these files once more, as an ordinary user."""
    # Where the interpreter, the environment around it and the repository may lie below /root.
    reachable = ":".join(dict.fromkeys([sys.base_prefix, str(TOP), sys.prefix]))
    done = subprocess.run(
        [
            str(HERE / "as_ordinary_user.sh"), str(home), reachable,
            "env", "PYTHONDONTWRITEBYTECODE=1", f"PYTHONPATH={TOP}",
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
            "-c", str(TOP / "pyproject.toml"), "--rootdir", str(TOP),
            "--basetemp", str(home / "pytest"), "-k", chosen,
            *map(str, files),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="this is an ordinary user already")
def test_engine_works_for_an_ordinary_user(home: Path) -> None:
    files = (HERE / f"test_engine_{name}.py" for name in ("run", "images", "crash"))
    run_as_ordinary_user(home, CHOSEN, *files)
