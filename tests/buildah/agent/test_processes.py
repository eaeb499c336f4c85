"""Ending everything in a mount namespace, with real namespaces."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent import processes
from pytest_zlayer.buildah.agent.processes import MountNamespace, end_contained

UNSHARE = ["unshare", "--mount", "--"] if os.geteuid() == 0 else ["unshare", "-r", "--mount", "--"]
Begin = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts processes that wait, each in a mount namespace of its own."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(before: str = "") -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*UNSHARE, "sh", "-c", f"set -e; {before}\necho; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def test_all_in_a_namespace_are_killed_and_nobody_else(begin: Begin) -> None:
    inside, other = begin(), begin()
    namespace = MountNamespace.of(inside.pid)
    assert namespace is not None
    namespace.end()
    assert inside.wait(20) == -9
    assert other.poll() is None


def test_it_ends_when_all_in_it_are_gone(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a process takes for that."""
    inside = begin()
    killed: list[threading.Timer] = []

    def kill_late(pid: int, number: int) -> None:
        if not killed:
            killed.append(threading.Timer(0.3, os.kill, [pid, number]))
            killed[0].start()

    monkeypatch.setattr(processes, "kill", kill_late)
    namespace = MountNamespace.of(inside.pid)
    assert namespace is not None
    namespace.end()
    assert MountNamespace.of(inside.pid) is None


def test_a_namespace_made_after_its_end_is_another_one(begin: Begin) -> None:
    """The kernel gives away the number of one that is gone at once."""
    gone = begin()
    namespace = MountNamespace.of(gone.pid)
    assert namespace is not None
    gone.kill()
    gone.communicate()
    later = [begin() for _ in range(20)]
    namespace.end()
    assert [process.poll() for process in later] == [None] * len(later)


def test_a_process_that_is_gone_has_none() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert MountNamespace.of(process.pid) is None


@pytest.mark.parametrize("system", ["", "mount -t tmpfs none ."], ids=["disk", "memory"])
def test_what_has_files_of_a_session_mounted_is_killed(
    begin: Begin, tmp_path: Path, system: str
) -> None:
    """Wherever the directory for temporary files lies."""
    ours, another = (f"zlayer-{os.getpid()}-{number}" for number in (1, 2))
    mounting = f"cd {tmp_path}; {system}\ncd {tmp_path}; mkdir -p %s/buildah123"
    mounting = f"{mounting}; touch %s/buildah123/hosts hosts"
    mounting = f"{mounting}; mount --bind %s/buildah123/hosts hosts"
    inside, other = (begin(mounting.replace("%s", name)) for name in (ours, another))
    end_contained(str(tmp_path / ours))
    assert inside.wait(20) == -9
    assert other.poll() is None
