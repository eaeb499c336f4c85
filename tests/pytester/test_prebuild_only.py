"""``--zlayer-prebuild=only``: the images of the selected tests are built, and no test is run."""

from __future__ import annotations

import pytest


@pytest.fixture
def two(project):
    project.dockerfile("FROM scratch\nCOPY a /\n", "good")
    project.dockerfile("FROM scratch\nRUN false\n", "bad")
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.image("bad")
        def test_bad(zlayer_image):
            raise AssertionError("no test may run")

        @pytest.mark.image("good")
        def test_good(zlayer_image):
            raise AssertionError("no test may run")

        def test_plain():
            raise AssertionError("no test may run")
    """
    )
    return project


def built(project):
    return [line.split()[0] for line in project.builds() if " built by " in line]


@pytest.mark.parametrize("args", [[], ["-n2"]])
def test_images_are_built_and_no_test_is_run(two, args):
    result = two.run("--zlayer-prebuild=only", "-k", "good", *args)
    assert result.ret == pytest.ExitCode.OK
    assert built(two) == ["good"]
    result.stdout.no_fnmatch_line("*no test may run*")


def test_one_failure_does_not_keep_the_others_from_being_built(two):
    result = two.run("--zlayer-prebuild=only")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert built(two) == ["bad", "good"]
    result.stdout.fnmatch_lines(["*RUN false*"])


def test_without_images_there_is_nothing_to_do(two):
    result = two.run("--zlayer-prebuild=only", "-k", "test_plain", "--zlayer-buildah=/missing")
    assert result.ret == pytest.ExitCode.OK


def test_a_missing_buildah_is_an_error(two):
    result = two.run("--zlayer-prebuild=only", "--zlayer-buildah=/missing")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*there is no buildah at /missing*"])


def test_other_words_are_refused(two):
    result = two.run("--zlayer-prebuild=maybe")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*expected on, off or only, not 'maybe'*"])
