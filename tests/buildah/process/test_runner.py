"""Commands under a real agent: output as it comes, every way to end, nothing left running."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.errors import EngineError, EngineUnusable
from pytest_zlayer.buildah.failures import KILLED
from pytest_zlayer.buildah.process.agent_client import AgentClient
from pytest_zlayer.buildah.process.command import Detached, Request
from pytest_zlayer.buildah.process.runner import Runner
from tests.buildah.process.conftest import ENV
from tests.interruptions import notices
from tests.waiting import wait_until


@pytest.fixture
def runner(client: AgentClient) -> Runner:
    return Runner(client)


def sh(script: str, **more: object) -> Request:
    return Request(argv=["sh", "-c", script], env=ENV, **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether a process is there and not just waiting to be collected."""
    try:
        return status_of(pid)[0] != "Z"
    except OSError:
        return False


def status_of(pid: int) -> list[str]:
    """State, parent and so on, as in proc(5)."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return stat.rpartition(")")[2].split()


def test_both_streams_and_the_status(runner: Runner) -> None:
    done = runner.run(sh("echo out; echo err >&2; exit 7"))
    assert (done.exit_code, done.stdout_tail, done.stderr_tail) == (7, ("out",), ("err",))


def test_what_is_to_happen_meanwhile_needs_no_output(runner: Runner, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    waiting = sh(f"until [ -e {flag} ]; do sleep 0.05; done", meanwhile=flag.touch, timeout=60)
    assert runner.run(waiting).exit_code == 0


def test_what_fails_meanwhile_ends_the_command(runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "pid"

    def fail() -> None:
        if file.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(sh(f"echo $$ > {file}~; mv {file}~ {file}; sleep 600", meanwhile=fail))
    assert not alive(int(file.read_text()))


def test_lines_come_while_the_command_runs(runner: Runner, tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    def saw(_: str, line: str) -> None:
        assert line == "first"
        flag.touch()

    done = runner.run(sh(f"echo first; while [ ! -e {flag} ]; do sleep 0.02; done", on_line=saw))
    assert done.exit_code == 0


def test_raw_output_is_kept_byte_for_byte(runner: Runner) -> None:
    out, log = io.BytesIO(), io.BytesIO()
    runner.run(sh(r"printf '\377\000\r\n\n'; printf e >&2", stdout=out, log=log))
    assert out.getvalue() == b"\xff\x00\r\n\n"
    assert sorted(log.getvalue()) == sorted(b"\xff\x00\r\n\ne")


def test_standard_input(runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"from a file")
    assert runner.run(sh("cat", stdin=b"given")).stdout_tail == ("given",)
    assert runner.run(sh("cat", stdin=file)).stdout_tail == ("from a file",)
    assert runner.run(sh("cat")).stdout_tail == ()


@pytest.fixture
def ignoring() -> Iterator[None]:
    """As a shell starts what runs in the background of a script, and with a signal blocked."""
    ignored = (signal.SIGQUIT, signal.SIGINT, signal.SIGUSR1)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_command_inherits_no_descriptor_umask_or_signal(ignoring: None, runner: Runner) -> None:
    done = runner.run(sh("ls /proc/self/fd; umask; grep -E 'Sig(Blk|Ign)' /proc/self/status"))
    *descriptors, mask, blocked, ignored = done.stdout_tail
    # The fourth is the directory being listed.
    assert descriptors == ["0", "1", "2", "3"]
    # The C library has 32 and 33 for itself, and may leave them ignored in what it spawns.
    of_the_c_library = 1 << 31 | 1 << 32
    assert (mask, int(blocked.split()[1], 16)) == ("0022", 0)
    assert int(ignored.split()[1], 16) & ~of_the_c_library == 0


def test_status_of_a_command_killed_by_a_signal(runner: Runner) -> None:
    done = runner.run(sh("kill -9 $$"))
    assert (done.exit_code, done.killed_by_signal) == (137, 9)


def test_program_that_is_not_there(runner: Runner) -> None:
    with pytest.raises(EngineError) as caught:
        runner.run(Request(argv=["/no/such/program"], env=ENV))
    assert str(caught.value) == "/no/such/program cannot be started: No such file or directory"


def test_what_is_left_running_is_killed(runner: Runner) -> None:
    done = runner.run(sh("setsid sleep 600 & echo $!"))
    assert done.strays >= 1
    assert not alive(int(done.stdout_tail[0]))


def test_command_beside_it_is_not_touched(runner: Runner) -> None:
    other = threading.Thread(target=lambda: results.append(runner.run(sh("sleep 0.5; echo on"))))
    results: list[object] = []
    other.start()
    runner.run(sh("setsid sleep 600 &"))
    other.join()
    assert getattr(results[0], "stdout_tail", None) == ("on",)


def test_time_limit_asks_before_it_kills(runner: Runner, time_is_over: Callable[..., None]) -> None:
    script = "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    done = runner.run(sh(script, timeout=600, on_line=time_is_over))
    assert (done.timed_out, done.stdout_tail) == (True, ("ready", "asked"))


def test_time_limit_kills_what_does_not_listen(
    runner: Runner, time_is_over: Callable[..., None]
) -> None:
    script = "trap '' TERM; echo $$; while :; do sleep 0.05; done"
    done = runner.run(sh(script, timeout=600, on_line=time_is_over))
    assert (done.timed_out, done.killed_by_signal) == (True, 9)
    assert not alive(int(done.stdout_tail[0]))


def test_interrupt_ends_all(runner: Runner) -> None:
    def stop(_: str, line: str) -> None:
        runner.interrupt()

    with pytest.raises(EngineError) as caught:
        runner.run(sh("echo on; sleep 600", on_line=stop))
    assert str(caught.value) == "the build was interrupted"


def test_interrupt_ends_what_a_program_that_ends_at_that_moment_has_started(
    runner: Runner, tmp_path: Path
) -> None:
    """What watches it sees both at once: the end of the program, and that all is to end."""
    begun, go, started = (tmp_path / name for name in ("begun", "go", "started"))
    script = f"setsid sleep 600 & echo $! > {started}; echo $$ > {begun}~; mv {begun}~ {begun}; "
    script += f"until [ -e {go} ]; do sleep 0.02; done"
    detached = Detached(pid_file=str(started), state="", remove=[], bundle=str(tmp_path / "none"))
    process = runner.start(sh(script, detached=detached))
    wait_until(begun.exists, "the program has begun")
    starter = int(begun.read_text())
    watching = int(status_of(starter)[1])
    os.kill(watching, signal.SIGSTOP)
    go.touch()
    wait_until(lambda: not alive(starter), "the end of the program")
    runner.interrupt()
    os.kill(watching, signal.SIGCONT)
    with pytest.raises(EngineError, match="interrupted"):
        process.wait(60)
    assert not alive(int(started.read_text()))


def test_end_of_the_agent_is_heard_by_what_watches_a_command_that_ends_at_that_moment(
    runner: Runner, tmp_path: Path
) -> None:
    """What the command has left running, which else would go on, ends with the agent."""
    begun, go = tmp_path / "begun", tmp_path / "go"
    script = f"setsid sleep 600 & echo $! $$ > {begun}~; mv {begun}~ {begun}; "
    script += f"until [ -e {go} ]; do sleep 0.02; done"
    process = runner.start(sh(script, lasting=True, afterwards=lambda *_: None))
    wait_until(begun.exists, "the command has begun")
    left, command = map(int, begun.read_text().split())
    watching = int(status_of(command)[1])
    os.kill(watching, signal.SIGSTOP)
    go.touch()
    wait_until(lambda: not alive(command), "the end of the command")
    os.kill(watching, signal.SIGTERM)
    os.kill(watching, signal.SIGCONT)
    process.wait(60)
    wait_until(lambda: not alive(left), "the end of what it has left")


def test_interrupt_ends_what_a_group_begins_later_and_nothing_else(runner: Runner) -> None:
    group = runner.interruption()
    runner.interrupt()
    with group.covering(), pytest.raises(EngineError, match="interrupted"):
        runner.run(sh("sleep 600"))
    assert runner.run(sh("exit 3")).exit_code == 3


def test_interrupt_that_spares_a_group_lets_it_begin_more(runner: Runner) -> None:
    group = runner.interruption()
    runner.interrupt(sparing=group)
    with group.covering():
        assert runner.run(sh("exit 3")).exit_code == 3
    runner.interrupt()
    with group.covering(), pytest.raises(EngineError, match="interrupted"):
        runner.run(sh("sleep 600"))


def test_error_of_the_listener_ends_the_command(runner: Runner) -> None:
    seen: list[int] = []

    def fail(_: str, line: str) -> None:
        seen.append(int(line))
        raise RuntimeError(line)

    with pytest.raises(RuntimeError):
        runner.run(sh("echo $$; sleep 600", on_line=fail))
    assert not alive(seen[0])


def test_end_of_the_agent_ends_its_commands(client: AgentClient, runner: Runner) -> None:
    def kill(_: str, line: str) -> None:
        pids.append(int(line))
        os.kill(client.pid, signal.SIGKILL)

    pids: list[int] = []
    with pytest.raises(EngineError) as caught:
        runner.run(sh("echo $$; exec sleep 600", on_line=kill, timeout=60))
    assert caught.value.failure == KILLED
    wait_until(lambda: not alive(pids[0]), "the end of the command")
    with pytest.raises(EngineUnusable):
        runner.run(sh("true"))


def test_long_command_lines_pass(runner: Runner) -> None:
    done = runner.run(Request(argv=["sh", "-c", ": " + "x" * 100_000 + "; echo on"], env=ENV))
    assert done.stdout_tail == ("on",)


def test_who_runs_something_notices_a_signal_that_came_just_before(runner: Runner) -> None:
    assert notices(lambda: runner.run(sh("sleep 600")))


def test_who_waits_for_something_notices_a_signal_that_came_just_before(runner: Runner) -> None:
    process = runner.start(sh("sleep 600"))
    assert notices(process.wait)
    process.stop()
    process.wait()
