"""Locks of cache keys, and who waits for them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pytest_zlayer.builder.cache import locks as module
from pytest_zlayer.builder.cache.locks import KeyLocks
from tests.interruptions import interruptions

WAIT = """
import sys
from pathlib import Path
from pytest_zlayer.builder.cache.locks import KeyLocks

locks, key = KeyLocks(Path(sys.argv[1])), sys.argv[2]
with locks.hold(key, lambda: print("waiting", flush=True), lambda: None):
    print("held", flush=True)
"""


def nothing() -> None:
    """Nobody tells anything, nobody gives up."""


@contextmanager
def another_process(directory: Path, key: str = "key") -> Iterator[subprocess.Popen[str]]:
    """A process that wants a key and cannot have it yet."""
    argv = [sys.executable, "-c", WAIT, str(directory), key]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def test_another_process_waits_and_gets_its_turn(tmp_path: Path) -> None:
    locks = KeyLocks(tmp_path)
    with locks.hold("key", nothing, nothing):
        assert not locks.others_wait()
        with another_process(tmp_path) as process:
            assert locks.others_wait()
            process.kill()
            process.wait()
            assert not locks.others_wait()
    with locks.hold("key", nothing, nothing):
        waiting = another_process(tmp_path)
        process = waiting.__enter__()
    assert process.stdout is not None
    assert process.stdout.read() == "held\n"
    waiting.__exit__(None, None, None)
    assert not locks.others_wait()


def test_threads_of_this_process_are_no_others(tmp_path: Path) -> None:
    locks, reported = KeyLocks(tmp_path), threading.Event()

    def want() -> None:
        with locks.hold("key", reported.set, nothing):
            pass

    thread = threading.Thread(target=want)
    with locks.hold("key", nothing, nothing):
        thread.start()
        reported.wait()
        assert not locks.others_wait()
    thread.join()


def test_who_gives_up_waits_no_longer(tmp_path: Path) -> None:
    locks, others = KeyLocks(tmp_path), KeyLocks(tmp_path)

    def give_up() -> None:
        raise InterruptedError

    with locks.hold("key", nothing, nothing):
        with pytest.raises(InterruptedError), others.hold("key", nothing, give_up):
            pass
        assert not locks.others_wait()


def test_free_key_is_held_only_by_one(tmp_path: Path) -> None:
    locks, others = KeyLocks(tmp_path), KeyLocks(tmp_path)
    with locks.hold_if_free("key") as held:
        assert held
        with others.hold_if_free("key") as both:
            assert not both
    with others.hold_if_free("key") as held:
        assert held


def test_no_file_of_a_key_is_left(tmp_path: Path) -> None:
    locks = KeyLocks(tmp_path)
    with locks.hold("key", nothing, nothing):
        assert [file.name for file in tmp_path.iterdir()] == ["key.lock"]
    assert list(tmp_path.iterdir()) == []


def test_files_of_killed_processes_go_and_held_ones_stay(tmp_path: Path) -> None:
    locks = KeyLocks(tmp_path)
    with locks.hold("held", nothing, nothing), another_process(tmp_path, "held") as process:
        assert locks.others_wait()
        for name in ("old.lock", "old.queue"):
            (tmp_path / name).touch()
        locks.tidy()
        assert sorted(file.name for file in tmp_path.iterdir()) == ["held.lock", "held.queue"]
        process.kill()
        process.wait()
        locks.tidy()
        assert sorted(file.name for file in tmp_path.iterdir()) == ["held.lock"]


# -- signals --


def test_who_is_interrupted_anywhere_holds_no_key(tmp_path: Path) -> None:
    locks, others = KeyLocks(tmp_path), KeyLocks(tmp_path)

    def hold() -> None:
        with locks.hold("key", nothing, nothing), locks.hold_if_free("free"):
            pass

    for where in interruptions(hold):
        with others.hold_if_free("key") as held, others.hold_if_free("free") as also:
            assert held, where
            assert also, where


def test_who_is_interrupted_anywhere_waits_for_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHORT", 0.0)
    locks, others = KeyLocks(tmp_path), KeyLocks(tmp_path)

    def give_up() -> None:
        raise InterruptedError

    def wait() -> None:
        with suppress(InterruptedError), locks.hold("key", nothing, give_up):
            pass

    with others.hold("key", nothing, nothing):
        for where in interruptions(wait):
            assert not others.others_wait(), where
    # A thread that waits in another process is one of the others again.
    with locks.hold("key", nothing, nothing), another_process(tmp_path) as process:
        seen = locks.others_wait()
        process.kill()
    assert seen


def test_what_is_no_file_of_a_lock_stays(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "old.lock").touch()
    KeyLocks(tmp_path).tidy()
    assert [one.name for one in tmp_path.iterdir()] == ["directory"]
