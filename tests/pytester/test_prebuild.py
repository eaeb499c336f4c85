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
