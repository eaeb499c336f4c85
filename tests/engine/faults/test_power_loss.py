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
from tests.engine.faults.workspace import (
    BUILT,
    Workspace,
    count,
    descends_from,
    executing,
    processes,
    send,
)
from tests.waiting import wait_until


def power_loss(workspace: Workspace, *args: str) -> None:
    """End everything of a run at once in the middle of a RUN, and lose what a reboot loses."""
    run = workspace.start_sleeping(*args)
    inside = {*executing(workspace.nap), *processes(str(workspace.storage.root))}
    mine = {pid for pid in inside if descends_from(pid, run.process.pid)}
    for pid in (*run.agents(), run.process.pid, *mine):
        with_parts = [pid, *(one for one in processes("") if descends_from(one, pid))]
        send(signal.SIGSTOP, with_parts)
        mine |= set(with_parts)
    send(signal.SIGKILL, mine)
    run.wait()
    wait_until(lambda: not mine & set(processes("")), "the end of all processes")
    workspace.storage.wait_until_dead()
    for point in sorted(workspace.storage.mounts(), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], check=True)
    subprocess.run(["umount", "--lazy", str(workspace.storage.root / "overlay")], check=False)
    shutil.rmtree(workspace.storage.runroot)


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_next_session_is_green_and_cleans_up(workspace: Workspace, isolation: str) -> None:
    power_loss(workspace, f"--zlayer-isolation={isolation}")
    with building(workspace.storage) as builds:
        builds.build(BUILT)
        builds.session.engine.swept()  # the end of a session does not wait for that for ever


def test_prune_cleans_up_as_well(workspace: Workspace) -> None:
    power_loss(workspace)
    removed = prune(make_options(workspace.storage), everything=False)
    assert [one.kind for one in removed] == []  # swept at once, before anything was listed
    assert count(workspace.storage)["containers"] == []


@pytest.mark.parametrize("content", [b"", b'{"prefix": "zl-', b"\0" * 64], ids=["0", "cut", "nul"])
def test_half_written_records_of_a_session(workspace: Workspace, content: bytes) -> None:
    sessions = workspace.storage.root / "zlayer" / "sessions"
    sessions.mkdir(exist_ok=True)
    (sessions / "aaaaaaaaaaaa-main-00000000.json").write_bytes(content)
    workspace.storage.buildah("from", "--name", "zl-aaaaaaaaaaaa-main-1-000000-", BUSYBOX)
    (workspace.storage.tmpdir / "zlayer-aaaaaaaaaaaa-main-00000000").mkdir()
    unfinished = sessions / "bbbbbbbbbbbb-main-00000000.json.4242.new"
    unfinished.write_bytes(content)
    os.utime(unfinished, (0, 0))
    workspace.sweep()


@pytest.mark.parametrize("content", [b"", b'{"key": "', b"\0" * 64], ids=["0", "cut", "nul"])
def test_half_written_files_of_the_package(workspace: Workspace, content: bytes) -> None:
    state = workspace.storage.root / "zlayer"
    known = json.loads((state / "answers.json").read_bytes())
    files = [state / "answers.json", *state.glob("cache/generation"), *state.glob("cache/used/*")]
    with building(workspace.storage) as builds:
        builds.build(BUILT)
    files += list(Path(workspace.storage.root.parent / "user-cache").rglob("*"))
    for path in files:
        if path.is_file():
            path.write_bytes(content)
    with building(workspace.storage) as builds:
        assert builds.build(BUILT).path("/built").read_text() == "built\n"
        assert builds.executed() == []
    assert json.loads((state / "answers.json").read_bytes()).keys() == known.keys()


def test_locks_of_a_dead_holder_are_free(workspace: Workspace) -> None:
    locks = workspace.storage.root / "zlayer" / "cache" / "locks"
    for path in locks.iterdir():
        path.write_text("4242\n", encoding="ascii")  # as a lock file by pid would look
    leases = workspace.storage.root / "zlayer" / "cache" / "leases"
    (leases / "0123456789abcdef").touch()
    with building(workspace.storage, no_cache=True) as builds:
        builds.build(BUILT)
    assert os.listdir(leases) == []
