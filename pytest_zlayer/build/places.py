"""Where files that outlive a session lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import platformdirs

_NAME = "pytest-zlayer"


def cache_directory(environment: Mapping[str, str]) -> Path:
    """The user's cache directory for this project; ``XDG_CACHE_HOME`` of ``environment`` counts."""
    base = environment.get("XDG_CACHE_HOME", "")
    return Path(base) / _NAME if base else Path(platformdirs.user_cache_dir(_NAME))
