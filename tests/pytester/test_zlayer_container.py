"""The fixture ``zlayer_container``."""

from __future__ import annotations


def test_it_is_a_container_of_the_tests_image_removed_afterwards(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        @pytest.mark.parametrize("number", [1, 2])
        def test_it(zlayer_container, number):
            assert zlayer_container == "container of inline"
            assert number == 1
    """)
    project.run().assert_outcomes(passed=1, failed=1)
    assert project.builds() == [
        "inline built by main",
        *["container of inline opened", "container of inline removed"] * 2,
        "closed after a failure",
    ]
