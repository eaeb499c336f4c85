"""The code for other tools on the page about migration is code for their current versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.engine.building import write_files
from tests.engine.plugins.conftest import REPOSITORY, Environment

pytestmark = pytest.mark.network

PAGE = (REPOSITORY / "docs/howto/migrating.md").read_text("utf-8")
BLOCK = r'<!-- skip: next "needs ([\w-]+)[^"]*" -->\n```python\n(.*?)```'
BLOCKS = re.findall(BLOCK, PAGE, re.DOTALL)


@pytest.mark.parametrize(("tool", "code"), BLOCKS, ids=[tool for tool, _ in BLOCKS])
def test_imports_and_fixtures_exist(
    tool: str, code: str, together: Environment, tmp_path: Path
) -> None:
    project = write_files(tmp_path / "p", {"test_it.py": code})
    told = together.pytest(project, "--setup-plan", "-W", "error", "-p", "no:asyncio")
    assert re.search(r"test_it\.py::test_\w+", told), told


def test_each_plugin_and_library_has_an_example() -> None:
    tools = [tool for tool, _ in BLOCKS]
    assert tools == ["pytest_container", "pytest-docker-tools", "testcontainers", "pytest-docker"]
