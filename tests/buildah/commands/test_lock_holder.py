"""Who holds a lock of the storage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.commands.lock_holder import holder_hint
from tests.holding import HOLD


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[int]:
    """A process that holds ``images.lock`` of a storage."""
    (tmp_path / "overlay-images").mkdir()
    argv = [sys.executable, "-c", HOLD, str(tmp_path / "overlay-images" / "images.lock")]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        yield process.pid
        process.kill()
        process.wait()


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()


def test_holder_is_named(tmp_path: Path, holder: int) -> None:
    assert holder_hint(tmp_path) == (
        f"process {holder} ({name_of(holder)}) holds images.lock of the storage"
    )


def test_stopped_holder_is_said_to_be_stopped(tmp_path: Path, holder: int) -> None:
    os.kill(holder, signal.SIGSTOP)
    os.waitid(os.P_PID, holder, os.WSTOPPED)
    assert holder_hint(tmp_path) == (
        f"process {holder} ({name_of(holder)}, stopped) holds images.lock of the storage"
    )


def test_nobody_holds_anything(tmp_path: Path) -> None:
    (tmp_path / "storage.lock").touch()
    assert holder_hint(tmp_path) is None


def test_machine_that_does_not_tell(tmp_path: Path) -> None:
    assert holder_hint(tmp_path, tmp_path / "none") is None
