"""Commands started by the OCI runtime itself: what they see, and how they end."""

from __future__ import annotations

import io
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.run_request import RunRequest, Tmpfs, Volume
from tests.engine.conftest import Storage
from tests.waiting import wait_until

# All that a command may notice of how it was started.
LOOK = r"""
echo "== environment"; env | grep -v ^HOSTNAME= | sort
echo "== user"; id; umask
echo "== directory"; pwd; ls -ldn . | tr -s ' ' | cut -d' ' -f1-4
echo "== process"
grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Seccomp_filters):' /proc/self/status
cat /proc/self/oom_score_adj /proc/self/limits
echo "== processes"; echo $$
echo "== namespaces"; readlink /proc/self/ns/net /proc/self/ns/user
echo "== mounts"; cut -d' ' -f2-4 /proc/self/mounts | grep -v '^/ ' | sort
echo "== devices"; ls -ln /dev | tr -s ' ' | cut -d' ' -f1-6,10- | grep -v ^total
echo "== files"; ls -ln /etc/hosts /etc/hostname /etc/resolv.conf /run/.containerenv 2>&1 |
    tr -s ' ' | cut -d' ' -f1-4,9-
cat /etc/hosts /etc/resolv.conf /run/.containerenv
echo "== name"; test "$(hostname)" = "$(cat /etc/hostname)" && test "$(hostname)" = "$HOSTNAME" &&
    grep -c "$HOSTNAME" /run/.containerenv
echo "== masked"; for one in /proc/kcore /proc/keys /proc/timer_list /sys/firmware; do
    ls "$one" | wc -l; cat "$one" 2>/dev/null | wc -c; done
echo "== streams"; echo error >&2; test -t 0 || cat
exit 7
"""


@dataclass(frozen=True)
class Way:
    """One way of starting commands, in a container of its own."""

    engine: Engine
    container: str

    def look(self, **more: Any) -> list[str]:
        """What a command sees: lines, without the names of the container."""
        lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        options = {
            "user": "0:0", "timeout": 60.0, "on_line": lambda name, line: lines[name].append(line),
        }  # fmt: skip
        command = ["/bin/sh", "-c", LOOK]
        done = self.engine.run(RunRequest(self.container, command, **{**options, **more}))
        text = "\n".join([*lines["stdout"], *lines["stderr"], str(done.exit_code)])
        text = text.replace(self.container, "NAME")
        return re.sub(r"\b[0-9a-f]{64}\b", "ID", text).splitlines()


@pytest.fixture(scope="module")
def ways(storage: Storage, busybox: str) -> Iterator[tuple[Way, Way]]:
    engines = [storage.open(isolation=isolation) for isolation in ("auto", "buildah")]
    if engines[0].isolation != "chroot":
        yield tuple(Way(one, one.from_image(busybox)) for one in engines)  # type: ignore[misc]
    for one in engines:
        one.close()


@pytest.fixture
def direct(ways: tuple[Way, Way]) -> Way:
    return ways[0]


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"user": "app"},
        {"user": "1000"},
        {"user": "5:6"},
        {"user": "app:root"},
        {"network": "none"},
        {"network": "none", "user": "5:6"},
        {"workdir": "/home/app", "env": {"A": "1 2", "HOME": "/x", "PATH": "/bin"}},
        {"hidden_env": {"TOKEN": "a'b\"c"}, "env": {"HOSTNAME": "own"}},
        {"stdin": b"given\n"},
        {"cap_add": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]},
        {"cap_add": ["ALL"], "user": "app"},
        {"tmpfs": [Tmpfs("/tmp/t", 65536), Tmpfs("/tmp/r", readonly=True)]},
    ],
    ids=str,
)
def test_command_sees_what_it_sees_by_buildah(
    ways: tuple[Way, Way], request_: dict[str, Any]
) -> None:
    found, expected = (one.look(**request_) for one in ways)
    assert found == expected


def test_command_sees_the_same_mounts(ways: tuple[Way, Way], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content", encoding="ascii")
    volumes = [
        Volume(tmp_path, "/mnt/rw"),
        Volume(tmp_path, "/mnt/ro", readonly=True),
        Volume(tmp_path / "file", "/etc/hosts", readonly=True),
        Volume(tmp_path / "file", "/mnt/rw/below/file"),
    ]
    (tmp_path / "below").mkdir()
    found, expected = (one.look(volumes=volumes) for one in ways)
    assert found == expected


def test_directory_that_is_not_there_is_made_as_by_buildah(ways: tuple[Way, Way]) -> None:
    found, expected = (one.look(user="5:6", workdir="/new/directory") for one in ways)
    assert found == expected


def test_ways_are_reported_apart(ways: tuple[Way, Way]) -> None:
    for way in ways:
        way.look()
    shown = [one.engine.describe().rpartition(", ")[2] for one in ways]
    assert shown == ["started directly)", "by buildah run)"]


def test_command_killed_by_a_signal(ways: tuple[Way, Way]) -> None:
    script = "sleep 60 & kill -9 $!; wait $!"
    for way in ways:
        done = way.engine.run(RunRequest(way.container, ["sh", "-c", script]))
        assert (done.exit_code, done.killed_by_signal) == (137, None)


def test_nothing_of_the_runtime_is_left_after_a_command(direct: Way) -> None:
    direct.look()
    tmpdir = direct.engine.tmpdir

    def nothing() -> bool:
        return not [*tmpdir.glob("buildah*"), *tmpdir.glob("runtime/*/*")]

    wait_until(nothing, "nothing of the runtime is left")


def test_container_that_was_unmounted_is_mounted_again(direct: Way, storage: Storage) -> None:
    direct.look()
    storage.buildah("umount", direct.container)
    assert direct.look()[-1] == "7"


# -- in the background


def test_command_in_the_background(direct: Way) -> None:
    lines: list[str] = []
    ready = threading.Event()

    def saw(_: str, line: str) -> None:
        lines.append(line)
        ready.set()

    script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    started = direct.engine.start(
        RunRequest(direct.container, ["sh", "-c", script], user="0:0", on_line=saw)
    )
    assert ready.wait(60)
    assert started.running
    with pytest.raises(TimeoutError):
        started.wait(0.01)
    out = io.BytesIO()
    beside = RunRequest(direct.container, ["sh", "-c", "cat /proc/1/comm; exit 3"], stdout=out)
    assert started.run(beside).exit_code == 3
    assert out.getvalue() == b"sh\n"
    started.signal(signal.SIGTERM)
    assert started.wait(60).exit_code == 5
    assert (lines, started.running) == (["ready", "bye"], False)


def test_command_in_the_background_is_stopped(direct: Way, storage: Storage) -> None:
    started = direct.engine.start(RunRequest(direct.container, ["sleep", "7654"]))
    started.stop()
    assert not started.running
    assert not [line for line in storage.processes() if "7654" in line]


def test_command_beside_one_that_has_just_ended_runs_by_itself(
    direct: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = direct.engine.start(RunRequest(direct.container, ["sleep", "7654"]))
    looked = started._inside()
    started.stop()
    monkeypatch.setattr(started, "_inside", lambda: looked)
    lines: list[str] = []
    beside = RunRequest(
        direct.container,
        ["sh", "-c", "echo here; exit 3"],
        on_line=lambda _, one: lines.append(one),
    )
    assert (started.run(beside).exit_code, lines) == (3, ["here"])


def test_command_in_the_background_that_cannot_be_started(direct: Way) -> None:
    assert direct.engine.start(RunRequest(direct.container, ["/nope"])).wait(60).exit_code == 127


def test_interruption_ends_what_runs_in_the_background(direct: Way) -> None:
    ready = threading.Event()
    command = ["sh", "-c", "echo; exec sleep 600"]
    started = direct.engine.start(
        RunRequest(direct.container, command, on_line=lambda *_: ready.set())
    )
    assert ready.wait(60)
    direct.engine.interrupt()
    with pytest.raises(EngineError) as caught:
        started.wait(60)
    assert caught.value.interrupted
