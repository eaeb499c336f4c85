"""Tests run once more as an ordinary user with subordinate ids, in a user namespace.

By hand: ``tests/engine/as_ordinary_user.sh HOME PYTHON_PREFIX:REPOSITORY python -m pytest …``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOP = HERE.parent.parent

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="this is an ordinary user already")


def run_as_ordinary_user(home: Path, chosen: str, *files: Path) -> str:
    """Run the chosen tests of these files as an ordinary user; what pytest wrote.

    Args:
        home: becomes the user's home (fixture ``ordinary_home``).
        chosen: as ``-k`` takes it.
        files: test modules.
    """
    # Where the interpreter, the environment around it and the repository may lie below /root.
    reachable = ":".join(dict.fromkeys([sys.base_prefix, str(TOP), sys.prefix]))
    done = subprocess.run(
        [
            str(HERE / "as_ordinary_user.sh"), str(home), reachable,
            "env", "PYTHONDONTWRITEBYTECODE=1", f"PYTHONPATH={TOP}",
            sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
            "-c", str(TOP / "pyproject.toml"), "--rootdir", str(TOP),
            "--basetemp", str(home / "pytest"), "-k", chosen,
            *map(str, files),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
