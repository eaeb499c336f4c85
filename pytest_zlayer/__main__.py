"""``python -m pytest_zlayer``."""

from __future__ import annotations

import sys

from pytest_zlayer.cli import run_program

sys.exit(run_program())
