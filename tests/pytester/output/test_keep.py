"""``--zlayer-keep``: what was kept is listed with a command to look inside."""

from __future__ import annotations

import pytest


@pytest.fixture
def one_image(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_image):
            pass
    """)
    return project


def test_kept_things_stand_in_the_summary_one_line_each(one_image):
    result = one_image.run("--zlayer-keep")
    result.stdout.fnmatch_lines(
        [
            "*= zlayer: kept, with the command to look inside =*",
            "image of inline: look into inline",
            "*= 1 passed in *",
        ]
    )


def test_nothing_is_reported_when_nothing_is_kept(one_image):
    one_image.run().stdout.no_fnmatch_line("*= zlayer*")
