"""``--zlayer-list``: which tests need which images and stages."""

from __future__ import annotations

import pytest


@pytest.fixture
def listed(project):
    project.dockerfile(
        "FROM scratch AS builder\nFROM scratch AS unused\nFROM scratch\nCOPY --from=builder / /\n",
        "api",
    )
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image("api")
        @pytest.mark.parametrize("number", [1, 2])
        def test_api(zlayer_image, number):
            raise AssertionError("no test may run")

        @pytest.mark.image(name="base", ref="alpine:3")
        def test_ready(zlayer_image):
            pass

        def test_other():
            pass
    """
    )
    return project


EXPECTED = [
    "api: api/Dockerfile",
    "   builder: FROM scratch",
    "   unused: FROM scratch  (not needed)",
    " * stage-2: FROM scratch, copies from builder",
    "    needed by test_it.py::test_api[1]",
    "    needed by test_it.py::test_api[2]",
    "",
    "base: ready image alpine:3",
    "    needed by test_it.py::test_ready",
    "",
    "1 test needs no image",
]


@pytest.mark.parametrize("args", [[], ["-n2"]])
def test_images_are_listed_with_stages_and_tests(listed, args):
    result = listed.run("--zlayer-list", "--zlayer-buildah=/missing", *args)
    assert result.ret == pytest.ExitCode.OK
    start = result.outlines.index(EXPECTED[0])
    assert result.outlines[start : start + len(EXPECTED)] == EXPECTED
    assert listed.builds() == ["closed"]


def test_only_selected_tests_count(listed):
    result = listed.run("--zlayer-list", "-k", "ready")
    result.stdout.no_fnmatch_line("api:*")


def test_mistakes_are_told_instead(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("nowhere")
        def test_it(zlayer_image):
            pass
    """)
    assert project.run("--zlayer-list").ret == pytest.ExitCode.USAGE_ERROR
