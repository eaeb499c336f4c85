"""The fixture ``zlayer_images``."""

from __future__ import annotations


def test_it_gives_all_images_by_name(project):
    for folder in ("api", "db"):
        project.dockerfile("FROM scratch", folder)
    project.pytester.makepyfile("""
        import pytest

        pytestmark = pytest.mark.image("db", name="db")

        @pytest.mark.image("api", name="api")
        def test_it(zlayer_images):
            assert {name: one.spec.context.name for name, one in zlayer_images.items()} == {
                "api": "api", "db": "db",
            }
    """)
    project.run().assert_outcomes(passed=1)


def test_an_image_without_a_name_is_called_default(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_images):
            assert list(zlayer_images) == ["default"]
    """)
    project.run().assert_outcomes(passed=1)
