"""The example of a base image, run as its users run it, on a storage of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import PrivateStorage

EXAMPLE = Path(__file__).parent.parent / "examples" / "distribution"


def test_the_example_passes_and_leaves_nothing(
    pytester: pytest.Pytester, private_storage: PrivateStorage
) -> None:
    built = shutil.ignore_patterns("rootfs.tar", ".rootfs.*", "__pycache__", ".pytest_cache")
    shutil.copytree(EXAMPLE, pytester.path, ignore=built, dirs_exist_ok=True)
    result = pytester.runpytest_subprocess(*private_storage.options)
    assert result.ret == 0
    result.assert_outcomes(passed=17)
    assert private_storage.containers() == []
    assert [name for name in private_storage.images() if "/zlayer/cache" not in name] == []
