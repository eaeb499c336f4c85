"""Where files that outlive a session lie."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import platformdirs

_NAME = "pytest-zlayer"


def cache_directory(environment: Mapping[str, str]) -> Path:
    """The user's cache directory for this project; ``XDG_CACHE_HOME`` of ``environment`` counts."""
    base = environment.get("XDG_CACHE_HOME", "")
    return Path(base) / _NAME if base else Path(platformdirs.user_cache_dir(_NAME))


def remove_old_logs(directory: Path, max_age: float) -> None:
    """Remove the logs of failed builds that are older than ``max_age`` seconds."""
    oldest = time.time() - max_age
    for session in directory.glob("*/") if directory.is_dir() else ():
        with contextlib.suppress(OSError):  # somebody else's clean-up may be faster
            if session.stat().st_mtime < oldest:
                shutil.rmtree(session, ignore_errors=True)
