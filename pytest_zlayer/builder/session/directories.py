"""Where files that outlive a session lie."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from pytest_zlayer.builder.cache.uses import moment_of

_NAME = "pytest-zlayer"


def cache_directory(environment: Mapping[str, str]) -> Path:
    """The user's cache directory for this project; ``XDG_CACHE_HOME`` of ``environment`` counts."""
    base = environment.get("XDG_CACHE_HOME", "")
    return Path(base) / _NAME if base else Path(platformdirs.user_cache_dir(_NAME))


def log_directory(environment: Mapping[str, str]) -> Path:
    """Where logs of failed builds lie, and what it takes to debug them, below their sessions."""
    return cache_directory(environment) / "logs"


def remove_old_logs(directory: Path, max_age: float, max_size: int) -> None:
    """Remove logs of failed builds, the oldest sessions first.

    Args:
        directory: with a directory for each session.
        max_age: seconds after which they go.
        max_size: bytes that may stay.
    """
    now, total = time.time(), 0
    for changed, session in sorted(_sessions(directory), reverse=True):
        with contextlib.suppress(OSError):  # somebody else's clean-up may be faster
            total += sum(log.lstat().st_size for log in session.iterdir())
        if total > max_size or changed < now - max_age:
            shutil.rmtree(session, ignore_errors=True)


def _sessions(directory: Path) -> Iterator[tuple[float, Path]]:
    for session in directory.glob("*/") if directory.is_dir() else ():
        with contextlib.suppress(OSError):
            yield moment_of(session), session
