"""The section and the log of a failed build in the reports of other plugins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.building import write_files
from tests.engine.plugins.conftest import Environment

pytestmark = pytest.mark.network

TESTS = """\
import pytest

@pytest.mark.image("api")
def test_bad(zlayer_image):
    pass

def test_call(zlayer_build):
    zlayer_build("api")
"""
LOG = "the first words\nthe last words of the log\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an image that fails, and the log that the session says it has written."""
    files = {"api/Dockerfile": "FROM scratch\nRUN false\n", "test_it.py": TESTS, "build.log": LOG}
    return write_files(tmp_path / "p", files)


@pytest.mark.parametrize("more", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_reports_of_others_hold_the_section_and_the_log(
    together: Environment, project: Path, more: tuple[str, ...]
) -> None:
    together.pytest(
        project,
        *("-q", "--html=report.html", "--self-contained-html", "--alluredir=allure", *more),
        *("--json-report", "--json-report-file=report.json"),
        code=1,
    )
    page = (project / "report.html").read_text()
    assert page.count("zlayer build log") >= 2
    tests = json.loads((project / "report.json").read_text())["tests"]
    assert len(tests) == 2
    for test in tests:
        told = test["metadata"]["zlayer_build"]
        assert told["log"] == LOG
        assert "RUN false" in told["details"]
    results = [json.loads(one.read_text()) for one in (project / "allure").glob("*-result.json")]
    held = [one for one in _all_attachments(project) if one["name"] == "zlayer build log"]
    assert len(results) == 2
    assert len(held) == 2
    assert {(project / "allure" / one["source"]).read_text() for one in held} == {LOG}
    sections = [one for one in _all_attachments(project) if one["name"] == "zlayer build"]
    assert len(sections) == 2


def _all_attachments(project: Path) -> list[dict[str, str]]:
    """Those of results and of what was set up for them."""
    found = []
    for file in (project / "allure").glob("*.json"):
        told = json.loads(file.read_text())
        for part in (told, *told.get("befores", ()), *told.get("steps", ())):
            found += part.get("attachments", [])
    return found
