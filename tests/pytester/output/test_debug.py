"""``--zlayer-debug``: what needs no build."""

from __future__ import annotations

import pytest


def test_workers_of_xdist_have_no_terminal_for_it(project):
    pytest.importorskip("xdist")
    project.pytester.makepyfile("def test_it(): pass")
    result = project.run_process("-n", "2", "--zlayer-debug")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --zlayer-debug needs the terminal, which the workers of pytest-xdist do not have*"]
    )


def test_tests_that_need_no_image_fail_as_ever(project):
    project.pytester.makepyfile("def test_it(): assert False")
    result = project.run("--zlayer-debug", "-p", "no:xdist")
    result.assert_outcomes(failed=1)
