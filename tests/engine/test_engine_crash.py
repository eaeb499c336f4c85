"""Whatever ends the process that uses the engine, nothing of it is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.run_request import RunRequest
from tests.waiting import PATIENCE

from .conftest import BUSYBOX, Storage, add_busybox

NOTHING: dict[str, list[str]] = {
    "containers": [], "mounts": [], "temporary files": [], "processes": [], "journals": [],
}  # fmt: skip

VICTIM = """
import os, sys, threading, time
from pathlib import Path
from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.run_request import RunRequest

root, runroot, isolation, image, script = sys.argv[1:]
engine = Engine.open(
    environment=os.environ, root=Path(root), runroot=Path(runroot), isolation=isolation,
    session=os.urandom(6).hex(),
)
engine.images.register("localhost/test/temporary:1")
container = engine.from_image(image)
print(engine._client.pid, flush=True)
engine.run(RunRequest(
    container, ["sh", "-c", "echo running; " + script], user="0:0",
    on_line=lambda stream, line: print(line, flush=True),
))
"""

DAEMON = "setsid sh -c 'trap \"\" TERM HUP; sleep 600' & sleep 600"


class Victim:
    """A process in the middle of a RUN."""

    def __init__(self, storage: Storage, isolation: str, script: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable, "-c", VICTIM, str(storage.root), str(storage.runroot), isolation,
                BUSYBOX, script,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=storage.environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.agent = int(self.process.stdout.readline())
        assert self.process.stdout.readline() == "running\n"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def kill_all(self) -> None:
        """Leave nobody who could clean up."""
        self.process.send_signal(signal.SIGSTOP)  # it is not to start another agent
        os.kill(self.agent, signal.SIGKILL)
        self.end()


@pytest.fixture
def victim(own_storage: Storage, tmp_path: Path) -> Iterator[Callable[..., Victim]]:
    add_busybox(own_storage, tmp_path)
    started: list[Victim] = []

    def start(isolation: str = "auto", script: str = DAEMON) -> Victim:
        started.append(Victim(own_storage, isolation, script))
        return started[-1]

    yield start
    for one in started:
        one.end()


def left_after(
    storage: Storage, nothing: dict[str, list[str]] = NOTHING, *, without: str = "\0"
) -> dict[str, list[str]]:
    """What is left as soon as it is ``nothing``, else after some time.

    Processes with the text ``without`` in their command lines do not count.
    """
    until = time.monotonic() + PATIENCE
    while True:
        left = storage.leftovers()
        left["processes"] = [line for line in left["processes"] if without not in line]
        if left == nothing or time.monotonic() >= until:
            return left


def test_mounted_files_outlive_a_killed_agent(own_storage: Storage, tmp_path: Path) -> None:
    add_busybox(own_storage, tmp_path)
    engine = own_storage.open()
    container = engine.from_image(BUSYBOX)
    tree = engine.mount(container)
    os.kill(engine._client.pid, signal.SIGKILL)
    assert tree.exists("/bin/busybox")
    engine.run(RunRequest(container, ["touch", "/new"]))
    assert tree.exists("/new")
    engine.unmount(container)
    engine.close()
    assert left_after(own_storage) == NOTHING


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_to_the_user_of_the_engine(
    own_storage: Storage, victim: Callable[..., Victim], isolation: str, number: int
) -> None:
    started = victim(isolation)
    started.process.send_signal(number)
    started.process.wait(PATIENCE)
    assert left_after(own_storage) == NOTHING


def test_temporary_image_goes_too(own_storage: Storage, victim: Callable[..., Victim]) -> None:
    started = victim()
    own_storage.buildah("tag", BUSYBOX, "localhost/test/temporary:1")
    started.end()
    assert left_after(own_storage) == NOTHING
    assert own_storage.image_names() == [BUSYBOX]


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_agent_and_parent_killed_is_swept_by_the_next(
    own_storage: Storage, victim: Callable[..., Victim], isolation: str
) -> None:
    victim(isolation).kill_all()
    own_storage.wait_until_dead()
    own_storage.sweep()
    assert left_after(own_storage) == NOTHING


def test_sweep_leaves_a_live_session_alone(
    own_storage: Storage, victim: Callable[..., Victim]
) -> None:
    alive, dead = victim(), victim()
    dead.kill_all()
    own_storage.wait_until_dead(living=1)
    own_storage.sweep()
    left = own_storage.leftovers()
    assert (alive.process.poll(), len(left["containers"]), len(left["journals"])) == (None, 1, 1)


def test_sweep_leaves_what_is_not_ours_alone(
    own_storage: Storage, victim: Callable[..., Victim]
) -> None:
    own_storage.buildah("from", "--name", "zl-mine", BUSYBOX)
    victim().kill_all()
    own_storage.wait_until_dead()
    own_storage.sweep()
    not_ours = {**NOTHING, "containers": ["zl-mine"]}
    assert left_after(own_storage, not_ours) == not_ours


def test_several_sweep_at_once(own_storage: Storage, victim: Callable[..., Victim]) -> None:
    for started in [victim(), victim()]:
        started.kill_all()
    own_storage.wait_until_dead()
    engines = [own_storage.open() for _ in range(3)]
    for engine in engines:
        engine.swept()
    for engine in engines:
        engine.close()
    assert left_after(own_storage) == NOTHING


def test_buildah_killed_under_a_run_is_reported_and_cleaned(
    own_storage: Storage, victim: Callable[..., Victim]
) -> None:
    started = victim("chroot")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if line[0].endswith(b"/buildah") and str(own_storage.root).encode() in line:
                os.kill(int(pid), signal.SIGKILL)
    assert started.process.wait(PATIENCE) == 1
    assert left_after(own_storage) == NOTHING


def test_forked_child_does_not_keep_a_dead_session_alive(
    own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path)
    forking = "print(os.fork() or time.sleep(600)"
    script = VICTIM.replace("print(engine._client.pid", forking)
    process = subprocess.Popen(
        [
            sys.executable, "-c", script, str(own_storage.root), str(own_storage.runroot), "auto",
            BUSYBOX, "sleep 600",
        ],
        stdout=subprocess.PIPE,
        env=own_storage.environment,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        child = int(process.stdout.readline())
        process.stdout.readline()
        process.kill()
        process.wait()
        left = left_after(own_storage, without=forking)
        os.kill(child, signal.SIGKILL)
    assert left == NOTHING


COMMITTER = """
import os, sys
from pathlib import Path
from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.run_request import RunRequest

root, runroot, image = sys.argv[1:]
engine = Engine.open(
    environment=os.environ, root=Path(root), runroot=Path(runroot), isolation="chroot",
    session=os.urandom(6).hex(),
)
container = engine.from_image(image)
words = ["dd", "if=/dev/urandom", "of=/random", "bs=1M", "count=4"]
engine.run(RunRequest(container, words, user="0:0"))
print("ready", flush=True)
while True:
    engine.images.remove(engine.commit(container, name=f"{engine.temporary_images}it"))
"""


@pytest.mark.parametrize("moment", [0.03, 0.08, 0.13])
def test_commit_cut_off_leaves_no_image_and_no_layer(
    own_storage: Storage, tmp_path: Path, moment: float
) -> None:
    add_busybox(own_storage, tmp_path)
    layers = own_storage.root / "overlay-layers" / "layers.json"
    before = json.loads(layers.read_bytes())
    process = subprocess.Popen(
        [
            sys.executable, "-c", COMMITTER, str(own_storage.root), str(own_storage.runroot),
            BUSYBOX,
        ],
        stdout=subprocess.PIPE,
        env=own_storage.environment,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        time.sleep(moment)
        process.kill()
        process.wait()
    assert left_after(own_storage) == NOTHING
    assert own_storage.image_names() == [BUSYBOX]
    assert json.loads(layers.read_bytes()) == before
