import pytest

pytestmark = pytest.mark.image("..", dockerfile="worker/Dockerfile")


def test_it_does_not_work_as_root(zlayer_image):
    assert zlayer_image.run().stdout == "worked as 1000\n"


def test_the_program_may_be_run(zlayer_image):
    zlayer_image.assert_file("/bin/work", mode=0o755)
