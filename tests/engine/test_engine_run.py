"""Commands in working containers: what comes out, what is left, and when they end."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.run_request import RunRequest, Volume

from .conftest import Storage


@pytest.fixture(params=["auto", "chroot"])
def box(request: pytest.FixtureRequest, storage: Storage, busybox: str) -> Iterator[Box]:
    engine = storage.open(isolation=request.param)
    yield Box(engine, engine.from_image(busybox))
    engine.close()


class Box:
    """A working container, and its engine."""

    def __init__(self, engine: Engine, container: str) -> None:
        self.engine = engine
        self.container = container

    def sh(self, script: str, **more: object) -> tuple[int, str]:
        """Runs a shell script; its exit status and its standard output."""
        out = io.BytesIO()
        options = {"user": "0:0", "timeout": 60.0, "stdout": out, **more}
        done = self.engine.run(
            RunRequest(self.container, ["/bin/sh", "-c", script], **options)  # type: ignore[arg-type]
        )
        return done.exit_code, out.getvalue().decode()


@pytest.mark.parametrize("status", [0, 1, 2, 125, 126, 127, 137, 255])
def test_exit_status_is_that_of_the_command(box: Box, status: int) -> None:
    assert box.sh(f"exit {status}")[0] == status


def test_lines_come_by_stream_without_what_buildah_adds(box: Box) -> None:
    lines: list[tuple[str, str]] = []
    box.sh("echo out; echo err >&2; exit 3", on_line=lambda *line: lines.append(line))
    assert sorted(lines) == [("stderr", "err"), ("stdout", "out")]


def test_lines_come_while_the_command_runs(box: Box) -> None:
    seen = threading.Event()
    go_on = Path(box.engine.tmpdir) / "go"
    go_on.mkdir()

    def saw(_: str, line: str) -> None:
        assert line == "waiting"
        seen.set()
        (go_on / "on").touch()

    volume = Volume(go_on, "/mnt", readonly=True)
    status, _ = box.sh(
        "echo waiting; while [ ! -e /mnt/on ]; do sleep 0.05; done", on_line=saw, volumes=[volume]
    )
    assert (status, seen.is_set()) == (0, True)


def test_program_that_is_not_there_ends_with_127(box: Box) -> None:
    assert box.engine.run(RunRequest(box.container, ["/nope"])).exit_code == 127


def test_program_that_cannot_be_executed_ends_with_126(box: Box) -> None:
    assert box.engine.run(RunRequest(box.container, ["/etc/passwd"])).exit_code == 126


def test_standard_input_is_empty_by_default(box: Box) -> None:
    assert box.sh("cat; echo end") == (0, "end\n")


def test_standard_input_is_given(box: Box) -> None:
    assert box.sh("cat", stdin=b"hello\x00\xff"[:5]) == (0, "hello")


def test_environment_of_the_test_does_not_reach_the_command(box: Box) -> None:
    assert "TMPDIR" not in box.sh("env")[1]


def test_environment_given_reaches_the_command(box: Box) -> None:
    assert box.sh('echo "$A"', env={"A": "b c"}) == (0, "b c\n")


def test_hidden_environment_reaches_the_command_only(box: Box) -> None:
    box.sh('echo "$TOKEN" > /seen', hidden_env={"TOKEN": "canary '\" \\ value"})
    assert box.sh('cat /seen; echo "[$TOKEN]"') == (0, "canary '\" \\ value\n[]\n")


def test_hidden_environment_stands_on_no_command_line(box: Box) -> None:
    found: list[str] = []
    seen = Path(box.engine.tmpdir) / "seen"
    seen.mkdir()

    def look(_: str, line: str) -> None:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                found.append(Path(f"/proc/{pid}/cmdline").read_text(errors="replace"))
        (seen / "all").touch()

    script = "echo now; while [ ! -e /mnt/all ]; do sleep 0.05; done"
    volumes = [Volume(seen, "/mnt", readonly=True)]
    box.sh(script, hidden_env={"TOKEN": "canary-4711"}, on_line=look, volumes=volumes)
    assert [line for line in found if script in line]
    assert not [line for line in found if "canary-4711" in line]


def test_hidden_environment_is_nowhere_in_the_storage(box: Box, storage: Storage) -> None:
    box.sh("true", hidden_env={"TOKEN": "canary-0815"})
    image = box.engine.commit(box.container)
    places = [path for path in storage.root.parent.rglob("*") if path.is_file()]
    assert not [path for path in places if b"canary-0815" in path.read_bytes()]
    box.engine.images.remove(image)


def test_network_none_has_loopback_and_nothing_else(box: Box) -> None:
    _, shown = box.sh("ip -o link", network="none")
    assert [line.split(":")[1].strip() for line in shown.splitlines()] == ["lo"]
    assert "<LOOPBACK,UP" in shown


def test_user_and_directory_are_used(box: Box) -> None:
    shown = box.sh("id -u; id -g; pwd", user="1000:1000", workdir="/etc")
    assert shown == (0, "1000\n1000\n/etc\n")


def test_unknown_user_is_an_error_of_the_engine(box: Box) -> None:
    with pytest.raises(EngineError) as caught:
        box.sh("true", user="nobody-here")
    assert caught.value.failure.kind == "permanent"
    assert caught.value.message.startswith("the image has no such user: ")


def test_background_process_is_gone_when_the_command_has_ended(box: Box, storage: Storage) -> None:
    box.sh("setsid sleep 600 & sleep 601 & true")
    assert not [line for line in storage.processes() if "sleep" in line]


@pytest.mark.parametrize(
    "script",
    [
        "echo ready; sleep 600",
        "trap '' TERM INT; echo ready; while :; do sleep 1; done",
        "setsid sh -c 'trap \"\" TERM; echo ready; sleep 600' & sleep 600",
    ],
    ids=["plain", "deaf", "daemon"],
)
def test_overrun_ends_the_whole_tree(
    box: Box, storage: Storage, script: str, time_is_over: Callable[..., None]
) -> None:
    words = ["sh", "-c", script]
    done = box.engine.run(
        RunRequest(box.container, words, user="0:0", timeout=600.0, on_line=time_is_over)
    )
    assert done.timed_out
    assert not [line for line in storage.processes() if "sleep" in line]
    assert box.sh("echo usable") == (0, "usable\n")


def test_interrupt_ends_what_runs(box: Box, storage: Storage) -> None:
    def stop(_: str, line: str) -> None:
        threading.Thread(target=box.engine.interrupt).start()

    with pytest.raises(EngineError) as caught:
        box.sh("echo started; sleep 600", on_line=stop)
    assert caught.value.interrupted
    assert not [line for line in storage.processes() if "sleep" in line]


def test_keyboard_interrupt_ends_the_command_first(box: Box, storage: Storage) -> None:
    def press(_: str, line: str) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        box.sh("echo started; sleep 600", on_line=press)
    assert not [line for line in storage.processes() if "sleep" in line]


def test_engine_is_usable_after_an_interrupt(box: Box) -> None:
    box.engine.interrupt()
    assert box.sh("echo on") == (0, "on\n")


def test_output_is_neither_lost_nor_kept(box: Box) -> None:
    class Counter:
        size = 0

        def write(self, data: bytes, /) -> None:
            self.size += len(data)

    before = _resident()
    counter = Counter()
    count = []
    script = "head -c 50000000 /dev/zero | tr '\\0' 'x' | fold -w 99; head -c 999 /dev/urandom"
    request = RunRequest(
        box.container,
        ["sh", "-c", script],
        user="0:0",
        stdout=counter,
        on_line=lambda *_: count.append(1) if len(count) < 10 else None,
    )
    done = box.engine.run(request)
    assert done.exit_code == 0
    assert counter.size == 50_000_000 + 50_000_000 // 99 + 999
    assert len(done.stdout_tail) <= 200
    assert _resident() - before < 16 * 1024 * 1024


def test_output_waits_for_its_reader(box: Box, tmp_path: Path) -> None:
    """The command ends while nobody reads and all pipes on the way are full."""

    class Late:
        got = bytearray()

        def write(self, data: bytes, /) -> None:
            while not self.got and not (tmp_path / "over").exists():
                time.sleep(0.01)
            # For whatever ends once the command has ended.
            time.sleep(0.3 if not self.got else 0)
            self.got += data

    late = Late()
    # What the pipes hold: of our own 64 kB, and with chroot isolation as much again of buildah's.
    count = 20_000 if box.engine.isolation == "chroot" else 10_000
    script = f"seq -w {count}; echo error >&2; touch /mnt/over; exit 3"
    volumes = [Volume(tmp_path, "/mnt")]
    status, _ = box.sh(script, stdout=late, volumes=volumes)
    assert (status, late.got.decode().split()) == (3, [f"{one:05}" for one in range(1, count + 1)])


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def test_many_commands_at_once_keep_their_output_apart(box: Box, busybox: str) -> None:
    results: dict[int, tuple[int, str]] = {}

    def work(number: int) -> None:
        one = Box(box.engine, box.engine.from_image(busybox))
        results[number] = one.sh(f"echo {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: (0, f"{number}\n") for number in range(6)}
