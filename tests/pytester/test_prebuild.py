"""``--zlayer-prebuild``: images are built ahead of the tests that need them."""

from __future__ import annotations

import pytest


@pytest.fixture
def several(project, monkeypatch):
    """Tests of two images, one of them skipped and one deselected with its own image."""
    monkeypatch.setenv("STANDIN_AHEAD", "1")
    project.pytester.makeini("[pytest]\nmarkers = slow")
    project.pytester.makepyfile("""
        import pytest

        def test_none():
            pass

        @pytest.mark.image(name="second", text="FROM scratch AS two")
        def test_second(zlayer_image):
            pass

        @pytest.mark.image(name="first", text="FROM scratch AS one")
        @pytest.mark.parametrize("number", [1, 2])
        def test_first(zlayer_image, number):
            pass

        @pytest.mark.skip
        @pytest.mark.image(name="skipped", text="FROM scratch AS three")
        def test_skipped(zlayer_image):
            pass

        @pytest.mark.slow
        @pytest.mark.image(name="other", text="FROM scratch AS four")
        def test_deselected(zlayer_image):
            pass
    """)
    return project


def _ahead(project) -> list[str]:
    return sorted({line for line in project.builds() if line.startswith("ahead")})


def test_the_images_of_selected_tests_are_built_in_their_order(several):
    several.run("-m", "not slow").assert_outcomes(passed=4, skipped=1, deselected=1)
    assert _ahead(several) == ["ahead: second first"]


def test_workers_share_the_layers_and_begin_at_different_ends(several):
    several.run_process("-n2", "-m", "not slow").assert_outcomes(passed=4, skipped=1)
    assert _ahead(several) == [
        "ahead (layers only): first second",
        "ahead (layers only): second first",
    ]


@pytest.mark.parametrize(
    "flag", ["--zlayer-prebuild=off", "--collect-only", "--setup-plan", "--zlayer-list"]
)
def test_nothing_is_built_ahead_when_no_test_will_need_it(several, flag):
    several.run(flag)
    assert _ahead(several) == []


# only: the images of the selected tests are built, and no test is run


@pytest.fixture
def two(project):
    project.dockerfile("FROM scratch\nLABEL a=b\n", "good")
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
