"""What a machine that lost its power leaves: stale locks, half-written files, nothing mounted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from pytest_zlayer.builder.session.prune import prune
from tests.engine.building import building, make_options
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.ground import (
    BUILT,
    Ground,
    count,
    descends_from,
    processes,
    send,
    wait_until,
)


def power_loss(ground: Ground, *args: str) -> None:
    """End everything of a run at once in the middle of a RUN, and lose what a reboot loses."""
    run = ground.start_sleeping(*args)
    inside = {*processes(ground.nap, "/busybox"), *processes(str(ground.storage.root))}
    mine = {pid for pid in inside if descends_from(pid, run.process.pid)}
    for pid in (*run.agents(), run.process.pid, *mine):
        with_parts = [pid, *(one for one in processes("") if descends_from(one, pid))]
        send(signal.SIGSTOP, with_parts)
        mine |= set(with_parts)
    send(signal.SIGKILL, mine)
    run.wait()
    wait_until(lambda: not processes(ground.nap, "/busybox"), "the end of all processes")
    for point in sorted(ground.storage.mounts(), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], check=True)
    subprocess.run(["umount", "--lazy", str(ground.storage.root / "overlay")], check=False)
    shutil.rmtree(ground.storage.runroot)


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_next_session_is_green_and_cleans_up(ground: Ground, isolation: str) -> None:
    power_loss(ground, f"--zlayer-isolation={isolation}")
    with building(ground.storage) as builds:
        builds.build(BUILT)


def test_prune_cleans_up_as_well(ground: Ground) -> None:
    power_loss(ground)
    removed = prune(make_options(ground.storage), everything=False)
    assert [one.kind for one in removed] == []  # swept at once, before anything was listed
    assert count(ground.storage)["containers"] == []


@pytest.mark.parametrize("content", [b"", b'{"prefix": "zl-', b"\0" * 64], ids=["0", "cut", "nul"])
def test_half_written_records_of_a_session(ground: Ground, content: bytes) -> None:
    sessions = ground.storage.root / "zlayer" / "sessions"
    sessions.mkdir(exist_ok=True)
    (sessions / "aaaaaaaaaaaa-main-00000000.json").write_bytes(content)
    ground.storage.buildah("from", "--name", "zl-aaaaaaaaaaaa-main-1-000000-", BUSYBOX)
    (ground.storage.tmpdir / "zlayer-aaaaaaaaaaaa-main-00000000").mkdir()
    unfinished = sessions / "bbbbbbbbbbbb-main-00000000.json.4242.new"
    unfinished.write_bytes(content)
    os.utime(unfinished, (0, 0))
    ground.sweep()


@pytest.mark.parametrize("content", [b"", b'{"key": "', b"\0" * 64], ids=["0", "cut", "nul"])
def test_half_written_files_of_ours(ground: Ground, content: bytes) -> None:
    state = ground.storage.root / "zlayer"
    known = json.loads((state / "answers.json").read_bytes())
    files = [state / "answers.json", *state.glob("cache/generation"), *state.glob("cache/used/*")]
    with building(ground.storage) as builds:
        builds.build(BUILT)
    files += list(Path(ground.storage.root.parent / "user-cache").rglob("*"))
    for path in files:
        if path.is_file():
            path.write_bytes(content)
    with building(ground.storage) as builds:
        assert builds.build(BUILT).path("/built").read_text() == "built\n"
        assert builds.executed() == []
    assert json.loads((state / "answers.json").read_bytes()).keys() == known.keys()


def test_locks_of_a_dead_holder_are_free(ground: Ground) -> None:
    locks = ground.storage.root / "zlayer" / "cache" / "locks"
    for path in locks.iterdir():
        path.write_text("4242\n", encoding="ascii")  # as a lock file by pid would look
    leases = ground.storage.root / "zlayer" / "cache" / "leases"
    (leases / "0123456789abcdef").touch()
    with building(ground.storage, no_cache=True) as builds:
        builds.build(BUILT)
    assert os.listdir(leases) == []
