"""Retries: announced at once, summed up, in the junit report and among the warnings."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

LINE = (
    "inline: stage-0 RUN flaky (line 2): attempt 1 of 3 failed: exit code 7; trying again in 0.5s"
)


@pytest.fixture
def flaky(project):
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image(text="FROM scratch\\nRUN flaky")
        def test_it(zlayer_image):
            pass

        @pytest.mark.image(text="FROM scratch\\nRUN flaky")
        def test_again(zlayer_image):
            pass
    """
    )
    return project


@pytest.mark.parametrize("args", [[], ["-q"], ["--zlayer-progress=quiet"]])
def test_a_retry_is_announced_before_the_test_ends(flaky, args):
    result = flaky.run_process(*args)
    lines = result.outlines
    outcome = next(at for at, line in enumerate(lines) if line.startswith("."))
    assert lines.index(f"zlayer: {LINE}") < outcome


def test_retries_stand_in_the_summary(flaky):
    result = flaky.run()
    result.stdout.fnmatch_lines(["*= zlayer: steps that were tried again =*", LINE])


def test_a_retry_is_a_warning_of_the_test(flaky):
    result = flaky.run()
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        ["test_it.py::test_it", "*inline:2: RetryWarning: RUN flaky was tried again"]
    )


def test_a_retry_that_helped_fails_no_test_where_warnings_are_errors(flaky):
    flaky.run("-W", "error").assert_outcomes(passed=2, warnings=1)


def test_a_retry_is_a_property_in_the_junit_report(flaky):
    flaky.run("--junitxml=report.xml")
    found = ET.parse(flaky.path / "report.xml").findall(".//property")  # noqa: S314
    retries = [one.get("value") for one in found if one.get("name") == "zlayer_retry"]
    assert retries == [LINE]
