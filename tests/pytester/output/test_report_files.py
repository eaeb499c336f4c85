"""``--zlayer-report`` and ``--zlayer-durations``, the line at the end, junit properties."""

from __future__ import annotations

import importlib.metadata
from xml.etree import ElementTree as ET

import pytest

from pytest_zlayer.report.json_file import read_json

TESTS = """
    import pytest
    from pytest_zlayer import image_fixture

    shared = image_fixture(text="FROM scratch\\nRUN make", name="shared")

    @pytest.mark.image(text="FROM scratch\\nRUN hunter2-x", build_args={"TOKEN": "hunter2-x"})
    def test_one(zlayer_image, shared):
        pass

    def test_two(shared):
        pass

    def test_none():
        pass

    @pytest.mark.image(text="FROM scratch\\nRUN false", name="broken")
    def test_broken(zlayer_image):
        pass
"""


@pytest.fixture
def tested(project):
    project.pytester.makepyfile(test_it=TESTS)
    return project


@pytest.mark.parametrize("args", [[], ["-n2"], ["-p", "no:terminal"]])
def test_reports_are_written(tested, args):
    files = ["--zlayer-report=out/run.json", "--zlayer-report=out/run.html"]
    result = tested.run_process(*files, "--zlayer-durations=2", "--junitxml=junit.xml", *args)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    run = read_json(tested.path / "out" / "run.json")
    _check_run(run, workers={"gw0", "gw1"} if args == ["-n2"] else {""})
    page = (tested.path / "out" / "run.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "output of RUN make" in page
    text = (tested.path / "out" / "run.json").read_text(encoding="utf-8")
    assert "hunter2" not in text + page + result.stdout.str()
    if "no:terminal" not in args:
        _check_terminal(result)
    _check_junit(tested.path / "junit.xml")


def test_versions_are_read_for_reports_only(tested, monkeypatch):
    """It takes longer than to find an unchanged image."""
    asked, distributions = [], importlib.metadata.distributions

    def noting(**wanted):
        asked.extend(wanted)
        return distributions(**wanted)

    monkeypatch.setattr(importlib.metadata, "distributions", noting)
    tested.run("--zlayer-report=run.json", "-k", "test_two")
    assert asked != []
    asked.clear()
    result = tested.run("-k", "test_two")
    result.stdout.fnmatch_lines(["zlayer: 1 image: 1 built*"])
    assert asked == []


def _check_run(run, *, workers):
    assert {build.worker for build in run.builds} <= workers
    uses = {(build.image, use.test) for build in run.builds for use in build.uses}
    assert uses == {
        ("inline", "test_it.py::test_one"),
        ("shared", "test_it.py::test_one"),
        ("shared", "test_it.py::test_two"),
    }
    assert {build.image: build.state for build in run.builds} == {
        "inline": "built",
        "shared": "built",
        "broken": "failed",
    }
    assert {test.id: test.outcome for test in run.tests} == {
        "test_it.py::test_one": "passed",
        "test_it.py::test_two": "passed",
    }
    assert run.exit_status == 1
    assert run.environment["engine"] == "buildah 1.28.2"


def _check_terminal(result):
    result.stdout.fnmatch_lines(
        [
            "*= zlayer: slowest builds and steps =*",
            "build *",
            "step *",
            "zlayer: 3 images: 2 built in *, 1 failed; nothing left",
            "zlayer: report: out/run.json",
            "zlayer: report: out/run.html",
        ]
    )


def _check_junit(path):
    cases = ET.parse(path).findall(".//testcase")  # noqa: S314
    found = {
        case.get("name"): [
            (one.get("name"), one.get("value")) for one in case.findall(".//property")
        ]
        for case in cases
    }
    names = ["zlayer_image", "zlayer_image_id", "zlayer_build_seconds", "zlayer_cached"]
    assert [name for name, _ in found["test_one"]] == names * 2
    assert ("zlayer_image", "shared") in found["test_two"]
    assert found["test_none"] == []


def test_no_image_no_line(project):
    project.pytester.makepyfile("def test_it(): pass")
    assert "zlayer: " not in project.run().stdout.str().replace("zlayer-", "")


@pytest.mark.parametrize("value", ["report.xml", "report"])
def test_a_report_of_an_unknown_kind_is_refused(tested, value):
    result = tested.run(f"--zlayer-report={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--zlayer-report: expected a file that ends in .html or .json*"])


def test_a_place_that_cannot_be_written_fails_no_test(project):
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_image):
            pass
        """
    )
    (project.path / "file").write_text("")
    result = project.run("--zlayer-report=file/report.html")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["zlayer: cannot write file/report.html: *"])
