"""What the runs of pytest that tests start get of the environment that the suite itself has."""

from __future__ import annotations

import os

FEW_PLUGINS = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_ADDOPTS": "-p zlayer -p xdist",
}
# Where the suite runs, and what is to be seen there: neither holds for the runs that it starts.
_OF_THE_SUITE = {
    "CI", "TERM", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COLUMNS", "LINES", "GITHUB_ACTIONS",
    "GITHUB_STEP_SUMMARY", "GITLAB_CI",
}  # fmt: skip


def outer_environment() -> dict[str, str]:
    """What a run of pytest inside a test gets, without what the outer one hands on."""
    outer = {
        name: one
        for name, one in os.environ.items()
        if not name.startswith("PYTEST") and name not in _OF_THE_SUITE
    }
    return {**outer, **{name: os.environ[name] for name in FEW_PLUGINS if name in os.environ}}
