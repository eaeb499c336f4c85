"""Leases: which other processes count on the cached layers, and since when."""

from __future__ import annotations

import os
from pathlib import Path

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


def test_the_file_of_a_process_that_has_died_is_removed(tmp_path: Path) -> None:
    (tmp_path / "dead-1").touch()
    lease = Lease(tmp_path, "a")
    assert lease.alone()
    assert not (tmp_path / "dead-1").exists()
    lease.close()
