"""Under pytest-xdist: one session, and everything is reported once, by the controller."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest


def test_workers_share_one_session(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", range(6))
        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_image, number):
            pass
    """)
    project.run_process("-n2").assert_outcomes(passed=6)
    built = [line.split() for line in project.log.read_text().splitlines() if "built" in line]
    assert {words[-3] for words in built} == {"gw0", "gw1"}
    assert len({words[-1] for words in built}) == 1


def test_mistakes_are_reported_once(project):
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image("nowhere")
        def test_it(zlayer_image):
            pass

        def test_other():
            raise AssertionError("no test may run")
    """
    )
    result = project.run_process("-n2")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert sum("no such build context" in line for line in result.outlines) == 2  # and the summary
    result.stdout.fnmatch_lines(
        [
            "test_it.py:3: test_it",
            "  no such build context: 'nowhere'",
            "  hint: looked for nowhere",
            "*Interrupted: 1 error during collection*",
        ]
    )
    result.stdout.no_fnmatch_line("*crashed*")


def test_retries_and_kept_things_reach_the_summary(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch\\nRUN flaky")
        def test_it(zlayer_image):
            pass
    """)
    result = project.run_process("-n1", "--zlayer-keep", "--junitxml=report.xml")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "[[]gw0] zlayer: inline: building stage stage-0",
            "[[]gw0] zlayer: inline: stage-0 RUN flaky (line 2): attempt 1 of 3 failed: *",
            "*inline:2: RetryWarning: RUN flaky was tried again",
            "*= zlayer: steps that were tried again =*",
            "inline: stage-0 RUN flaky (line 2): attempt 1 of 3 failed: exit code 7; *",
            "*= zlayer: kept, with the command to look inside =*",
            "image of inline: look into inline",
            "zlayer: 1 image: 1 built in *; 1 step tried again; 1 kept (see above)",
        ]
    )
    found = ET.parse(project.path / "report.xml").findall(".//property")  # noqa: S314
    assert [one.get("name") for one in found][:2] == ["zlayer_retry", "zlayer_image"]


def test_a_failed_build_is_reported_as_without_workers(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch\\nRUN false")
        def test_it(zlayer_image):
            pass

        def test_build(zlayer_build):
            zlayer_build(text="FROM scratch\\nRUN false")
    """)
    result = project.run_process("-n1")
    result.assert_outcomes(errors=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "building inline failed at <inline Dockerfile>:2 (stage stage-0): *",
            "*- zlayer build -*",
            "    2 | RUN false",
        ]
    )


def test_a_failed_build_is_reported_in_full_once_whatever_worker_met_it(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", range(4))
        @pytest.mark.image(text="FROM scratch\\nRUN false")
        def test_it(zlayer_image, number):
            pass
    """)
    result = project.run_process("-n2")
    result.assert_outcomes(errors=4)
    assert result.outlines.count("  the last words") == 1
