"""What the pages mean by "the tests"."""

import pytest


@pytest.mark.image("../services/api", target="runtime")
def test_api(zlayer_image):
    zlayer_image.assert_file("/srv/app")


@pytest.mark.image("../services/db")
def test_database(zlayer_image):
    zlayer_image.assert_file("/bin/database")
