"""Leases: which other processes count on the cached layers, and since when."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_zlayer.builder.cache.leases import Lease


def test_a_process_is_seen_as_long_as_it_holds_its_lease(tmp_path: Path) -> None:
    one, other = Lease(tmp_path, "a"), Lease(tmp_path, "b")
    assert (one.alone(), one.lives("b"), one.lives("a"), one.shared()) == (
        False,
        True,
        False,
        False,
    )
    third = Lease(tmp_path, "a")
    assert one.shared()
    third.close()
    other.close()
    assert one.alone()
    one.close()
    assert list(tmp_path.iterdir()) == []


def test_looking_at_a_lease_leaves_the_time_it_began(tmp_path: Path) -> None:
    began, other = Lease(tmp_path, "a"), Lease(tmp_path, "b")
    (path,) = tmp_path.glob("a-*")
    os.utime(path, (1_000, 1_000))
    assert other.others_began() == [1_000]
    assert other.others_began() == [1_000]
    other.close()
    began.close()


def test_who_began_at_a_time_to_come_may_count_on_everything(tmp_path: Path) -> None:
    began, other = Lease(tmp_path, "a"), Lease(tmp_path, "b")
    (path,) = tmp_path.glob("a-*")
    os.utime(path, (time.time() + 7200,) * 2)
    assert other.others_began() == [0.0]
    other.close()
    began.close()


def test_who_uses_something_after_the_clock_was_set_back_begins_anew(tmp_path: Path) -> None:
    began, other = Lease(tmp_path, "a"), Lease(tmp_path, "b")
    (path,) = tmp_path.glob("a-*")
    os.utime(path, (1_000, 1_000))
    began.note_use()
    assert other.others_began() == [1_000]
    with pytest.MonkeyPatch.context() as patch:
        set_back = SimpleNamespace(time=lambda: time.time() - 7200)
        patch.setattr("pytest_zlayer.builder.cache.leases.time", set_back)
        began.note_use()
    assert other.others_began() == [path.stat().st_mtime]
    assert path.stat().st_mtime > 1_000
    other.close()
    began.close()


def test_the_file_of_a_process_that_has_died_is_removed(tmp_path: Path) -> None:
    (tmp_path / "dead-1").touch()
    lease = Lease(tmp_path, "a")
    assert lease.alone()
    assert not (tmp_path / "dead-1").exists()
    lease.close()
