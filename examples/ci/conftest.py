"""The build context of the example is complete once ``rootfs.tar`` is made."""

from __future__ import annotations

import pytest
import rootfs


def pytest_configure() -> None:
    try:
        rootfs.make_rootfs()
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from error
