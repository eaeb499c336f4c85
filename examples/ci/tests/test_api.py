import pytest

pytestmark = pytest.mark.image("..", dockerfile="api/Dockerfile")


def test_the_greeting_is_loud(zlayer_image):
    assert zlayer_image.run().stdout == "HELLO\n"


def test_the_source_is_not_shipped(zlayer_image):
    zlayer_image.assert_no_file("/src/greeting")
