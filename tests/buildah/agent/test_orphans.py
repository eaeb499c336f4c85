"""Processes that outlive their parents, as people read of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pytest_zlayer.buildah.agent.orphans import Orphans, first_of_namespace

WAITING = "import sys; print(1, flush=True); sys.stdin.read()"


@pytest.fixture
def orphans() -> Orphans:
    return Orphans(os.getpid())


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", f"{WAITING}\n# {'x' * 200}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def test_a_command_line_is_one_line_of_some_length(
    orphans: Orphans, child: subprocess.Popen[bytes]
) -> None:
    orphans.look()
    shown = f"{sys.executable} -c {WAITING} # {'x' * 200}"[:119] + "…"
    assert orphans.ending(child.pid, 7) == f"process {child.pid} ({shown}) ended: exit code 7"


def test_the_command_line_is_remembered(orphans: Orphans, child: subprocess.Popen[bytes]) -> None:
    orphans.look()
    before = orphans.ending(child.pid, 0)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    orphans.look()
    assert orphans.ending(child.pid, 0) == before


def test_of_one_that_nobody_has_seen_running_the_name_is_known(orphans: Orphans) -> None:
    with subprocess.Popen(["false"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        orphans.look()
        assert orphans.ending(child.pid, 1) == f"process {child.pid} (false) ended: exit code 1"


def test_the_command_line_of_another_program_is_not_taken_for_its_own(orphans: Orphans) -> None:
    """A shell is seen that then becomes what it has been asked to start."""
    command = ["sh", "-c", "echo; read line; exec false"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        orphans.look()
        assert "(sh -c echo; read" in orphans.ending(child.pid, 1)
        child.stdin.write(b"\n")
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        orphans.look()
        assert orphans.ending(child.pid, 1) == f"process {child.pid} (false) ended: exit code 1"


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (0, "exit code 0"),
        (-signal.SIGSEGV, "killed by SIGSEGV"),
        (-(signal.SIGRTMIN + 1), f"killed by signal {signal.SIGRTMIN + 1}"),
    ],
)
def test_how_one_has_ended(orphans: Orphans, code: int, how: str) -> None:
    assert orphans.ending(12, code) == f"process 12 ended: {how}"


def test_the_first_of_a_namespace_is_where_there_is_no_other(orphans: Orphans) -> None:
    assert first_of_namespace(os.getpid()) == os.getpid()
    assert first_of_namespace(2**22 + 1) == 2**22 + 1
