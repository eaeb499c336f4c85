"""Ending children, and everything in a container, with real processes and namespaces."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent import processes
from pytest_zlayer.buildah.agent.processes import MountNamespace, end_contained, kill_children

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


def mounting(directory: Path, session: str, system: str = "") -> str:
    """What mounts a file of a session as buildah does."""
    return (
        f"cd {directory}; {system}\ncd {directory}; mkdir -p {session}/buildah123\n"
        f"touch {session}/buildah123/hosts hosts; mount --bind {session}/buildah123/hosts hosts"
    )


@pytest.mark.parametrize("system", ["", "mount -t tmpfs none ."], ids=["disk", "memory"])
def test_what_has_files_of_a_session_mounted_is_killed(
    begin: Begin, tmp_path: Path, system: str
) -> None:
    """Wherever the directory for temporary files lies."""
    ours, another = (f"zlayer-{os.getpid()}-{number}" for number in (1, 2))
    inside, other = (begin(mounting(tmp_path, name, system)) for name in (ours, another))
    end_contained(str(tmp_path / ours))
    assert inside.wait(60) == -9
    assert other.poll() is None


def test_what_a_container_starts_while_it_is_looked_for_is_killed(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = f"zlayer-{os.getpid()}"
    inside = [begin(mounting(tmp_path, session))]

    def kill_late(pid: int, number: int) -> None:
        if len(inside) == 1:
            inside.append(begin(mounting(tmp_path, session)))
        os.kill(pid, number)

    monkeypatch.setattr(processes, "kill", kill_late)
    end_contained(str(tmp_path / session))
    assert [process.wait(60) for process in inside] == [-9, -9]


def test_what_shares_the_mounts_of_the_caller_is_in_no_container(
    begin: Begin, tmp_path: Path
) -> None:
    """Even where files of the session are mounted for all processes there."""
    session = f"zlayer-{os.getpid()}"
    program = (
        "import sys; from pytest_zlayer.buildah.agent.processes import end_contained; "
        "end_contained(sys.argv[1])"
    )
    same = (
        f"{mounting(tmp_path, session)}; sleep 600 & beside=$!\n"
        f"{shlex.join([sys.executable, '-c', program, str(tmp_path / session)])}\n"
        "kill $beside"
    )
    assert begin(same).poll() is None


def in_a_process(work: Callable[[], None]) -> int:
    """The status of a process of its own that does something, and has only its own children."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_spared_child_is_left_to_who_waits_for_it() -> None:
    def kill_one_of_two() -> None:
        spared, other = subprocess.Popen(["false"]), subprocess.Popen(["sleep", "600"])
        os.waitid(os.P_PID, spared.pid, os.WEXITED | os.WNOWAIT)
        assert kill_children(60, spare=[spared.pid]) == 1
        assert os.waitpid(spared.pid, 0) == (spared.pid, 1 << 8)
        with pytest.raises(ChildProcessError):
            os.waitpid(other.pid, 0)

    assert in_a_process(kill_one_of_two) == 0
