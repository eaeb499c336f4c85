"""Locks whose files are there only while somebody holds them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from pytest_zlayer.builder.cache.lock_file import LockFile, lock_file, remove_if_free
from tests.interruptions import interruptions


def test_only_one_holds_it(tmp_path: Path) -> None:
    one, other = LockFile(tmp_path / "l"), LockFile(tmp_path / "l")
    assert one.acquire()
    assert not other.acquire()
    one.release()
    assert other.acquire()
    other.release()
    assert list(tmp_path.iterdir()) == []


def test_any_number_share_it_and_the_last_removes_its_file(tmp_path: Path) -> None:
    shared = [LockFile(tmp_path / "l", shared=True) for _ in range(3)]
    assert all(one.acquire() for one in shared)
    assert not LockFile(tmp_path / "l").acquire()
    for one in shared:
        assert (tmp_path / "l").exists()
        one.release()
    assert list(tmp_path.iterdir()) == []


def test_file_that_nobody_holds_is_removed(tmp_path: Path) -> None:
    (tmp_path / "free").touch()
    held = LockFile(tmp_path / "held")
    assert held.acquire()
    assert [remove_if_free(tmp_path / name) for name in ("free", "held")] == [True, False]
    assert [one.name for one in tmp_path.iterdir()] == ["held"]
    held.release()


def test_many_that_take_turns_are_never_two(tmp_path: Path) -> None:
    inside: list[int] = []
    seen: list[int] = []

    def take() -> None:
        for _ in range(100):
            lock = LockFile(tmp_path / "l")
            assert lock.acquire(60.0, pause=0.0)
            inside.append(1)
            seen.append(len(inside))
            inside.pop()
            lock.release()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert seen == [1] * 400


def test_what_is_not_held_cannot_be_given_back(tmp_path: Path) -> None:
    LockFile(tmp_path / "l").release()
    assert list(tmp_path.iterdir()) == []


def test_who_is_interrupted_anywhere_holds_nothing(tmp_path: Path) -> None:
    def take() -> None:
        with lock_file(tmp_path / "l") as lock:
            assert lock.acquire()

    for where in interruptions(take):
        with lock_file(tmp_path / "l") as other:
            assert other.acquire(), where


def test_what_is_given_back_twice_takes_nothing_from_the_next_holder(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "l")

    def take() -> None:
        assert lock.acquire()
        lock.release()

    for where in interruptions(take):
        lock.release()
        with lock_file(tmp_path / "l") as other, lock_file(tmp_path / "l") as third:
            assert other.acquire(), where
            lock.release()
            assert not third.acquire(), where


def test_forked_child_gives_nothing_back(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "l")
    assert lock.acquire()
    pid = os.fork()
    if pid == 0:
        lock.release()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert not LockFile(tmp_path / "l").acquire()
    lock.release()
