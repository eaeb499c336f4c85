"""The program that waits in a container, on processors of each kind that can be had here."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent.launch.init import ENDED
from pytest_zlayer.buildah.commands.probe_container import waiting_program

# Becomes the program with two children that have ended already: their new parent is the program.
PARENT = """\
import os, signal, sys
for action in (lambda: os._exit(7), lambda: os.kill(os.getpid(), signal.SIGKILL)):
    child = os.fork()
    if child == 0:
        action()
    print(child, file=sys.stderr, flush=True)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(params=["x86_64", "aarch64"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    content = waiting_program(request.param)
    assert content is not None
    file = tmp_path / "wait"
    file.write_bytes(content)
    file.chmod(0o755)
    if platform.machine() == request.param:
        return [str(file)]
    emulator = shutil.which(f"qemu-{request.param}-static") or shutil.which(f"qemu-{request.param}")
    if emulator is None:
        pytest.skip(f"a program of {request.param} cannot be run here")
    return [emulator, str(file)]


@pytest.fixture
def running(program: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", PARENT, *program]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        yield process
        process.kill()


def test_it_tells_of_children_and_collects_each_when_it_is_told_to(
    running: subprocess.Popen[bytes],
) -> None:
    assert running.stdin
    assert running.stdout
    assert running.stderr
    children = [int(running.stderr.readline()) for _ in range(2)]
    told: dict[int, tuple[int, int]] = {}
    for _ in children:
        record = os.read(running.stdout.fileno(), 1000)
        number, _, code, pid, uid, status = ENDED.unpack(record)
        assert (number, uid) == (signal.SIGCHLD, os.getuid())
        assert os.path.exists(f"/proc/{pid}")
        told[pid] = (code, status)
        running.stdin.write(b"\n")
        running.stdin.flush()
    assert told == {
        children[0]: (os.CLD_EXITED, 7),
        children[1]: (os.CLD_KILLED, signal.SIGKILL),
    }
    running.stdin.close()
    while any(os.path.exists(f"/proc/{pid}") for pid in children):
        assert running.poll() is None
    assert running.poll() is None


def test_other_machines_have_none() -> None:
    assert waiting_program("s390x") is None
