"""One workbench for all cases of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ..conftest import Storage
from .workbench import Workbench

# What needs a daemon of Docker is not even shown without one.
collect_ignore = [] if "ZLAYER_TEST_DOCKER" in os.environ else ["test_buildkit.py"]


@pytest.fixture(scope="module")
def workbench(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    before = os.umask(0o022)
    made = Workbench(storage, tmp_path_factory.mktemp("conformance"))
    yield made
    made.close()
    os.umask(before)
