"""All plugins that people use beside this one, in one environment, and all of them at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.engine.building import write_files
from tests.engine.plugins.conftest import Environment

pytestmark = pytest.mark.network

TESTS = """\
import asyncio
import os

import pytest
import testcontainers.core.container


@pytest.mark.timeout(60)
@pytest.mark.image("api", matrix={"PY": ["3.11", "3.12"]})
def test_cells(zlayer_image, zlayer_matrix):
    assert zlayer_image.spec.build_args["PY"] == zlayer_matrix["PY"]


@pytest.mark.asyncio
@pytest.mark.image("api")
async def test_async(zlayer_image):
    await asyncio.sleep(0)
    assert zlayer_image.label == "api"


@pytest.mark.flaky(reruns=1)
@pytest.mark.image("api")
def test_rerun(zlayer_image, tmp_path_factory):
    seen = tmp_path_factory.getbasetemp().parent / os.environ["SEEN"]
    if not seen.exists():
        seen.touch()
        raise AssertionError("the first time")


@pytest.mark.image("api")
def test_testinfra(zlayer_image, host):
    assert host.file("/etc/passwd").exists


@pytest.mark.image("api")
def test_fixtures_of_others(zlayer_image, docker_compose_project_name, container_runtime, request):
    assert docker_compose_project_name


def test_without_an_image():
    pass
"""
COUNT = 7


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a test for each neighbour."""
    return write_files(
        tmp_path / "p",
        {
            "api/Dockerfile": "FROM scratch\nARG PY\n",
            "test_it.py": TESTS,
            "pytest.ini": "[pytest]\nasyncio_default_fixture_loop_scope = function\n",
        },
    )


def counts(text: str) -> dict[str, int]:
    """What the last line of a run says."""
    line = [one for one in text.splitlines() if " in " in one and "passed" in one][-1]
    return {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", line)}


def test_all_at_once(together: Environment, project: Path) -> None:
    told = together.pytest(
        project,
        *("-n", "2", "-p", "randomly", "--cov=.", "--html=report.html", "--junitxml=junit.xml"),
        *("--json-report", "--json-report-file=report.json", "--alluredir=allure"),
        SEEN="all",
    )
    assert counts(told)["passed"] == COUNT
    assert counts(told)["rerun"] == 1
    assert "zlayer: 3 images: 3 built" in told
    assert "Using --randomly-seed" in told
    assert "test_it.py::test_async" in (project / "report.html").read_text()
    tests = json.loads((project / "report.json").read_text())["tests"]
    assert {one["outcome"] for one in tests} == {"passed", "rerun"}
    assert 'name="zlayer_image" value="api"' in (project / "junit.xml").read_text()
    assert list((project / "allure").glob("*-result.json"))


def test_tests_are_selected_by_the_names_of_cells(together: Environment, project: Path) -> None:
    told = together.pytest(project, "-q", "-k", "PY-3.12")
    assert counts(told) == {"passed": 1, "deselected": COUNT - 1}
    told = together.pytest(project, "-q", "--deselect", "test_it.py::test_cells[PY-3.11]", SEEN="d")
    assert counts(told)["deselected"] == 1


def test_groups_of_pytest_split_build_what_they_need(together: Environment, project: Path) -> None:
    options = ("-q", "-p", "no:randomly", "--splits", "2")
    found = [
        counts(together.pytest(project, *options, "--group", group, SEEN="s"))
        for group in ("1", "2")
    ]
    assert sum(one["passed"] for one in found) == COUNT
    built = (project / "builds.log").read_text()
    assert built.count(" built by ") == 4  # two cells by the first, one image by each


def test_what_is_collected_is_only_listed(together: Environment, project: Path) -> None:
    told = together.pytest(project, "-q", "-p", "no:randomly", "--collect-only")
    assert "test_it.py::test_cells[PY-3.11]" in told
    told = together.pytest(project, "--fixtures")
    assert "zlayer_image" in told
    assert " built by " not in (project / "builds.log").read_text()


def test_the_next_run_begins_where_the_last_one_failed(
    together: Environment, project: Path
) -> None:
    wrong = write_files(
        project,
        {
            "bad/Dockerfile": "FROM scratch\nRUN false\n",
            "test_bad.py": "import pytest\n\n@pytest.mark.image('bad')\ndef test_bad(zlayer_image):"
            "\n    pass\n",
        },
    )
    together.pytest(wrong, "-q", "-p", "no:randomly", SEEN="f", code=1)
    told = together.pytest(wrong, "-q", "--lf", code=1)
    assert "RUN false" in told
    assert "1 error in" in told
    told = together.pytest(wrong, "-q", "--sw", "-p", "no:randomly", code=2)
    assert "1 error in" in told
