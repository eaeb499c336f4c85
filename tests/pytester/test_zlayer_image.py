"""The fixture ``zlayer_image``."""

from __future__ import annotations


def test_one_declaration_is_built_once(project):
    project.dockerfile("FROM scratch", "api")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("api")
        def test_one(zlayer_image):
            pass

        @pytest.mark.image("api", name="again")
        def test_two(zlayer_image):
            pass
    """)
    project.run().assert_outcomes(passed=2)
    assert project.builds() == ["api built by main", "closed"]


def test_nothing_is_built_for_a_test_that_is_skipped(project):
    project.dockerfile("FROM scratch", "api")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.skip
        @pytest.mark.image("api")
        def test_one(zlayer_image):
            pass
    """)
    project.run().assert_outcomes(skipped=1)
    assert project.builds() == ["closed"]


def test_the_unnamed_image_is_meant_among_several(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        @pytest.mark.image(name="db", text="FROM scratch")
        def test_it(zlayer_image, zlayer_images):
            assert zlayer_image.label == "inline"
            assert set(zlayer_images) == {"default", "db"}
    """)
    project.run().assert_outcomes(passed=1)


def test_a_project_can_give_all_its_tests_an_image(project):
    project.dockerfile("FROM scratch", "api")
    project.pytester.makeconftest("""
        from pytest_zlayer.plugin.fixtures import image_fixture

        zlayer_image = image_fixture("api")
    """)
    project.pytester.makepyfile("""
        def test_it(zlayer_image):
            assert zlayer_image.label == "api"
    """)
    project.run().assert_outcomes(passed=1)


def test_a_mark_found_only_at_run_time_is_read_too(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(request):
            assert request.getfixturevalue("zlayer_image").label == "inline"
    """)
    project.run().assert_outcomes(passed=1)
