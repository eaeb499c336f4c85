"""``--zlayer-missing``: what happens to tests that need an image where there is no buildah."""

from __future__ import annotations

import pytest

NO_BUILDAH = "--zlayer-buildah=/missing"


@pytest.fixture
def mixed(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_image(zlayer_image):
            pass

        def test_build(zlayer_build):
            zlayer_build(text="FROM scratch")

        def test_engine(zlayer_engine):
            pass

        def test_other():
            pass
    """)
    return project


def test_they_fail_with_advice(mixed):
    result = mixed.run(NO_BUILDAH)
    result.assert_outcomes(passed=1, errors=2, failed=1)
    result.stdout.fnmatch_lines(["there is no buildah at /missing", "hint: install it"])


def test_they_are_skipped_when_that_is_wanted(mixed):
    result = mixed.run(NO_BUILDAH, "--zlayer-missing=skip", "-rs")
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(["SKIPPED * there is no buildah at /missing"])


def test_a_missing_buildah_is_looked_for_once(mixed):
    mixed.run(NO_BUILDAH)
    assert mixed.builds() == ["engine asked for", "closed"]


def test_a_mistake_is_reported_even_where_tests_would_be_skipped(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("nowhere")
        def test_image(zlayer_image):
            pass
    """)
    result = project.run(NO_BUILDAH, "--zlayer-missing=skip")
    assert result.ret == pytest.ExitCode.INTERRUPTED
