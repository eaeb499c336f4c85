"""The example's own tests, run as its users run them, on a storage of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import PrivateStorage

EXAMPLE = Path(__file__).parent.parent / "examples" / "almanac"


@pytest.fixture
def almanac(pytester: pytest.Pytester) -> pytest.Pytester:
    """A copy of the example as the current directory."""
    built = shutil.ignore_patterns("rootfs.tar", ".rootfs.*", "__pycache__", ".pytest_cache")
    shutil.copytree(EXAMPLE, pytester.path, ignore=built, dirs_exist_ok=True)
    return pytester


def test_the_example_passes_and_leaves_nothing(
    almanac: pytest.Pytester, private_storage: PrivateStorage
) -> None:
    result = almanac.runpytest_subprocess(*private_storage.options)
    assert result.ret == 0
    result.assert_outcomes(passed=22, warnings=1)
    result.stdout.fnmatch_lines(["*: attempt 1 of 3 failed: the command exited with 1: wget: *; *"])
    assert private_storage.containers() == []
    assert [name for name in private_storage.images() if "/zlayer/cache" not in name] == []
