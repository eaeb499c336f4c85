"""A failed build: the step, its lines and its output stand in the report of the test."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

BODY = """\
building api failed at api/Dockerfile:2 (stage stage-0): the command exited with 1
--------------------------------- zlayer build ---------------------------------
    2 | RUN false

exit code: 1, attempts: 2
its output:
  the last words
whole log: build.log
to debug it: pytest-zlayer debug 0a1b2c3d"""


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
    body = report.partition("\n")[2].partition("\nzlayer: ")[0]
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


@pytest.fixture
def failing_often(project):
    """Three tests on one image that cannot be built, and one on another."""
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image(text="FROM scratch\\nRUN false")
        @pytest.mark.parametrize("number", range(2))
        def test_it(zlayer_image, number):
            pass

        def test_now(zlayer_build):
            zlayer_build(text="FROM scratch\\nRUN false")

        @pytest.mark.image(text="FROM scratch AS other\\nRUN false")
        def test_other(zlayer_image):
            pass
    """
    )
    return project


def test_a_failed_build_is_reported_in_full_once(failing_often):
    result = failing_often.run()
    result.assert_outcomes(errors=3, failed=1)
    assert result.outlines.count("  the last words") == 2  # of two images
    pointer = "in full at test_it.py::test_it[0]"
    message = "building inline failed at <inline Dockerfile>:2 (stage stage-0): "
    assert f"{message}the command exited with 1 ({pointer})" in result.outlines
    assert pointer in result.outlines


def test_the_junit_report_holds_a_failure_in_full_once(failing_often):
    failing_often.run("--junitxml=report.xml")
    text = (failing_often.path / "report.xml").read_text()
    assert text.count("the last words") == 2  # of two images


def test_the_short_summary_is_short_where_ci_is_set(failing_often, monkeypatch):
    monkeypatch.setenv("CI", "true")
    summary = failing_often.run().stdout.str().partition("short test summary info")[2]
    assert "the last words" not in summary
    assert summary.count("building inline failed at") == 4


def test_a_missing_engine_is_reported_in_full_once(failing_often):
    result = failing_often.run("--zlayer-buildah=/missing")
    result.assert_outcomes(errors=3, failed=1)
    texts = [line for line in result.outlines if line.startswith(("hint:", "E       hint:"))]
    assert texts == ["hint: install it", "E       hint: install it"]  # zlayer_build raises it


def test_a_test_that_is_run_again_builds_again_and_is_reported_in_full(failing):
    pytest.importorskip("pytest_rerunfailures")
    result = failing.run("--reruns=2", "-p", "rerunfailures")
    result.stdout.fnmatch_lines(["*2 rerun*"])
    assert failing.builds().count("failure of api forgotten") == 2
    assert result.outlines.count("  the last words") == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("zlayer_build(targt='x')", "pytest_zlayer.UsageError: unknown argument 'targt'*"),
        ("parse('RUNN x')", "pytest_zlayer.DockerfileError: *unknown instruction: RUNN*"),
    ],
)
def test_a_traceback_that_begins_in_a_test_ends_there(project, call, message):
    project.pytester.makepyfile(f"""
        from pytest_zlayer.dockerfile import parse

        def test_it(zlayer_build):
            {call}
    """)
    result = project.run()
    result.stdout.fnmatch_lines([f">       {call}", f"E       {message}"])
    result.stdout.no_fnmatch_line("*pytest_zlayer/*")


def test_a_traceback_does_not_show_what_an_error_was_made_from_within_this_package(project):
    project.pytester.makepyfile("""
        from pathlib import Path
        from pytest_zlayer.buildah.files.rootfs import LocalRootfs

        def test_it():
            LocalRootfs(Path.cwd()).lstat("/none")
    """)
    output = project.run().stdout
    output.fnmatch_lines(["E       FileNotFoundError: * '/none'"])
    output.no_fnmatch_line("*was the direct cause*")
    output.no_fnmatch_line("*pytest_zlayer/*")


def test_a_traceback_shows_what_a_test_has_made_an_error_from(project):
    project.pytester.makepyfile("""
        def test_it():
            try:
                int("x")
            except ValueError as error:
                raise OSError("mine") from error
    """)
    project.run().stdout.fnmatch_lines(["*was the direct cause*"])


def test_the_whole_way_is_shown_when_it_is_asked_for(project):
    project.pytester.makepyfile("""
        from pytest_zlayer.dockerfile import parse

        def test_it():
            parse("RUNN x")
    """)
    project.run("--full-trace").stdout.fnmatch_lines(["*pytest_zlayer/dockerfile/*"])
