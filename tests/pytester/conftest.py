"""Inner runs of pytest on small projects, with a session that needs no engine."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

# Loaded once here; inner runs forget the modules they load, and would load them each time.
import pytest_zlayer.builder.session.build_session
import pytest_zlayer.dockerfile.parser.parse  # noqa: F401

HERE = Path(__file__).parent
# Importing Hypothesis again in each inner run would take most of the time.
_PLUGINS = ("-p", "standin", "-p", "no:hypothesispytest")


class Project:
    """A project in a temporary folder and the runs of pytest on it."""

    def __init__(self, pytester: pytest.Pytester, log: Path) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.log = log

    def dockerfile(self, text: str, folder: str = ".") -> Path:
        """Write a Dockerfile."""
        path = self.path / folder / "Dockerfile"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest inside this process."""
        return self.pytester.runpytest_inprocess(*_PLUGINS, *args)

    def run_process(self, *args: str) -> pytest.RunResult:
        """Run pytest in a process of its own, as people do."""
        return self.pytester.runpytest_subprocess(*_PLUGINS, *args)

    def builds(self) -> list[str]:
        """What the session was asked to do, without ids that differ between runs."""
        if not self.log.exists():
            return []
        return [
            re.sub(r" of [0-9a-f]{12}$", "", line) for line in self.log.read_text().splitlines()
        ]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project whose builds are pretended."""
    for name in [name for name in os.environ if name.startswith(("ZLAYER_", "PYTEST_"))]:
        if name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)
    log = pytester.path.parent / f"{pytester.path.name}-builds.log"
    monkeypatch.setenv("STANDIN_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.syspath_prepend(HERE)
    return Project(pytester, log)
