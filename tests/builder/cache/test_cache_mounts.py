"""Directories of RUN cache mounts: listed, and removed by age and by size."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_zlayer.builder.cache.cache_mounts import mount_entries, note_use, shrink_mounts
from pytest_zlayer.builder.cache.lock_file import LockFile


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """Three of them: used 300, 200 and 100 seconds ago, of 10 bytes each."""
    for number, age in enumerate((300, 200, 100)):
        path = tmp_path / f"mount{number}"
        path.mkdir()
        (path / "f").write_bytes(bytes(10))
        note_use(path)
        os.utime(f"{path}.used", (time.time() - age,) * 2)
    return tmp_path


def run(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True)


def names(mounts: Path) -> list[str]:
    return [entry.path.name for entry in mount_entries(mounts)]


def test_they_are_listed_with_size_and_age(mounts: Path) -> None:
    assert [(entry.path.name, entry.size) for entry in mount_entries(mounts)] == [
        ("mount0", 10), ("mount1", 10), ("mount2", 10),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("max_age", "max_size", "left"),
    [(1e9, 10**9, 3), (250.0, 10**9, 2), (1e9, 25, 2), (1e9, 15, 1), (0.0, 0, 0)],
)
def test_the_least_recently_used_go(mounts: Path, max_age: float, max_size: int, left: int) -> None:
    removed = shrink_mounts(mounts, run, max_age=max_age, max_size=max_size)
    assert names(mounts) == ["mount0", "mount1", "mount2"][3 - left :]
    assert len(removed) == 3 - left


def test_what_was_used_just_now_goes_too_where_nobody_else_may_use_it(mounts: Path) -> None:
    note_use(mounts / "mount2")
    shrink_mounts(mounts, run, max_age=1e9, max_size=0)
    assert names(mounts) == []


def test_nothing_of_a_removed_one_is_left(mounts: Path) -> None:
    shrink_mounts(mounts, run, max_age=0.0, max_size=0)
    assert list(mounts.iterdir()) == []


def test_what_killed_processes_left_goes(mounts: Path) -> None:
    (mounts / "gone.used").touch()
    (mounts / "gone.lock").touch()
    (mounts / "lone.making").touch()
    (mounts / "half.making").touch()
    (mounts / "half.new").mkdir()
    making = LockFile(mounts / "made.making")
    assert making.acquire()
    (mounts / "made.new").mkdir()
    shrink_mounts(mounts, run, max_age=1e9, max_size=10**9)
    left = {one.name for one in mounts.iterdir() if not one.name.startswith("mount")}
    assert left == {"made.making", "made.new"}
    making.release()


def test_another_process_may_remove_what_killed_ones_left_meanwhile(mounts: Path) -> None:
    (mounts / "gone.used").touch()
    (mounts / "half.new").symlink_to(mounts / "mount0")  # which only a program removes
    (mounts / "over.used").touch()

    def remove(argv: Sequence[str]) -> None:
        (mounts / "over.used").unlink()
        run(argv)

    shrink_mounts(mounts, remove, max_age=1e9, max_size=10**9)
    assert [one.name for one in mounts.iterdir() if not one.name.startswith("mount")] == []


def test_without_a_note_the_time_of_the_directory_counts(mounts: Path) -> None:
    (mounts / "mount0.used").unlink()
    os.utime(mounts / "mount0", (1000, 1000))
    first = mount_entries(mounts)[0]
    assert (first.path.name, first.used) == ("mount0", 1000)


def test_a_use_that_is_still_to_come_counts_as_now(mounts: Path) -> None:
    os.utime(mounts / "mount0.used", (4e9, 4e9))
    os.utime(mounts / "mount1.used", (time.time() + 60,) * 2)
    assert names(mounts) == ["mount2", "mount0", "mount1"]


def test_what_this_process_cannot_remove_is_removed_by_a_program(mounts: Path) -> None:
    target = mounts.parent / f"{mounts.name}-elsewhere"
    target.mkdir()
    (mounts / "mount3").symlink_to(target)  # which shutil.rmtree refuses
    run_so_far: list[Sequence[str]] = []

    def remove(argv: Sequence[str]) -> None:
        run_so_far.append(argv)
        run(argv)

    removed = shrink_mounts(mounts, remove, max_age=0.0, max_size=0)
    assert run_so_far == [("rm", "-rf", str(mounts / "mount3"))]
    assert "mount3" in [entry.path.name for entry in removed]
    assert list(mounts.iterdir()) == []
    assert target.is_dir()


def test_what_a_run_holds_stays(mounts: Path) -> None:
    lock = LockFile(mounts / "mount1.lock")
    assert lock.acquire()
    shrink_mounts(mounts, run, max_age=0.0, max_size=0)
    assert names(mounts) == ["mount1"]
    lock.release()


def test_what_another_living_session_may_use_stays(mounts: Path) -> None:
    began = time.time() - 150
    shrink_mounts(mounts, run, max_age=0.0, max_size=0, others_began=[began])
    assert names(mounts) == ["mount2"]
