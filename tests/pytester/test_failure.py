"""A failed build: the step, its lines and its output stand in the report of the test."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

BODY = """\
building api failed at api/Dockerfile:2 (stage stage-0): the command exited with 1
--------------------------------- zlayer build ---------------------------------
    2 | RUN false

exit code: 1, attempts: 2
last 1 lines of its output:
  the last words
whole log: build.log
to repeat it by hand:
  buildah run again"""


@pytest.fixture
def failing(project):
    project.dockerfile("FROM scratch\nRUN false\n", "api")
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image("api")
        def test_it(zlayer_image):
            pass
    """
    )
    return project


def test_the_report_holds_the_step_and_no_traceback(failing):
    result = failing.run("--zlayer-progress=quiet")
    result.assert_outcomes(errors=1)
    report = result.stdout.str().partition("ERROR at setup of test_it ")[2]
    body = report.partition("\n")[2].partition("\n=====")[0]
    assert body == BODY


def test_the_short_summary_says_what_failed(failing):
    result = failing.run()
    result.stdout.fnmatch_lines(["ERROR test_it.py::test_it - *building api failed*"])


def test_the_junit_report_holds_the_same(failing):
    failing.run("--junitxml=report.xml")
    error = ET.parse(failing.path / "report.xml").find(".//error")  # noqa: S314
    assert error is not None
    assert error.text == BODY


@pytest.mark.parametrize("style", ["short", "line", "native", "long"])
def test_no_style_of_traceback_shows_our_code(failing, style):
    result = failing.run(f"--tb={style}")
    result.assert_outcomes(errors=1)
    result.stdout.no_fnmatch_line("*in zlayer_image*")
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_failure_of_a_build_is_not_the_failure_of_other_tests(failing):
    failing.pytester.makepyfile(test_other="def test_other(): pass")
    failing.run().assert_outcomes(errors=1, passed=1)
