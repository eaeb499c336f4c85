"""Logs of failed builds: who may read them, how large and how old they get."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_zlayer.builder.execute import build
from pytest_zlayer.builder.execute.build import BuildLog
from pytest_zlayer.builder.model.masker import Masker
from pytest_zlayer.builder.session.directories import remove_old_logs


@pytest.fixture
def no_umask() -> object:
    """Nothing is taken from the modes of new files."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_log_is_for_its_user_alone(tmp_path: Path, no_umask: object) -> None:
    log = BuildLog(tmp_path / "cache" / "logs" / "session" / "one.log", Masker())
    log.write(b"token\n")
    log.close(keep=True)
    modes = [path.stat().st_mode & 0o777 for path in (log.path, *list(log.path.parents)[:3])]
    assert modes == [0o600, 0o700, 0o700, 0o700]


def test_a_log_keeps_its_newest_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_LOG_SIZE", 1000)
    log = BuildLog(tmp_path / "one.log", Masker())
    for number in range(500):
        log.write(f"line {number}\n".encode())
    log.close(keep=True)
    lines = log.path.read_text().splitlines()
    assert lines[0] == "[the beginning of this log was dropped: it had become too large]"
    assert lines[-1] == "line 499"
    assert log.path.stat().st_size <= 1100


def test_a_log_that_is_not_kept_goes_and_with_the_last_one_their_directory(tmp_path: Path) -> None:
    directory = tmp_path / "logs" / "session"
    first, second = (BuildLog(directory / f"{number}.log", Masker()) for number in (1, 2))
    for log in (first, second):
        log.write(b"line\n")
    first.close(keep=False)
    assert list(directory.iterdir()) == [second.path]
    second.close(keep=False)
    assert list(directory.parent.iterdir()) == []


def logs(directory: Path, ages: list[float], size: int) -> None:
    for number, age in enumerate(ages):
        log = directory / f"session-{number}" / "one.log"
        log.parent.mkdir(parents=True)
        log.write_bytes(bytes(size))
        os.utime(log.parent, (time.time() - age,) * 2)


@pytest.mark.parametrize(("max_age", "max_size"), [(150.0, 10**9), (10**9, 250)])
def test_the_oldest_logs_go(tmp_path: Path, max_age: float, max_size: int) -> None:
    logs(tmp_path, [300.0, 100.0, 200.0, 1.0], 100)
    remove_old_logs(tmp_path, max_age, max_size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["session-1", "session-3"]


def test_logs_of_a_time_to_come_grow_old(tmp_path: Path) -> None:
    logs(tmp_path, [-4e8], 100)
    remove_old_logs(tmp_path, 150.0, 10**9)
    (log,) = tmp_path.iterdir()
    assert log.stat().st_mtime <= time.time()
