"""However a run of pytest ends, nothing of it is left and nothing of it goes on."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.engine.faults.workspace import BUILT, Workspace, cgroups_of, executing
from tests.waiting import wait_until

USING = f"""
import os, sys
import pytest

TEXT = {BUILT!r}

@pytest.fixture
def container(zlayer_container):
    zlayer_container.run(["touch", "/mine"])
    assert zlayer_container.path("/built").read_text() == "built\\n"
    assert zlayer_container.image.stage("0")
    {{fixture}}
    yield zlayer_container
    {{teardown}}

@pytest.mark.image(text=TEXT, tags=("localhost/test/tagged:1",))
def test_first(container):
    {{test}}

@pytest.mark.image(text=TEXT)
def test_second(container):
    pass
"""


def using(fixture: str = "pass", test: str = "pass", teardown: str = "pass") -> str:
    """A module with a container in use when something happens."""
    return USING.format(fixture=fixture, test=test, teardown=teardown)


@pytest.mark.parametrize(
    ("module", "args", "code"),
    [
        pytest.param(using(), (), 0, id="success"),
        pytest.param(using(test="assert False"), (), 1, id="failure"),
        pytest.param(using(test="assert False"), ("-x",), 1, id="exitfirst"),
        pytest.param(using(fixture="raise OSError"), (), 1, id="error-in-fixture"),
        pytest.param(using(teardown="raise OSError"), (), 1, id="error-in-teardown"),
        pytest.param(using(test="pytest.exit('enough', 7)"), (), 7, id="pytest-exit"),
        pytest.param(using(test="sys.exit(3)"), (), 1, id="sys-exit"),
        pytest.param(using(test="raise KeyboardInterrupt"), (), 2, id="interrupt"),
        pytest.param(using(test="os._exit(5)"), (), 5, id="os-exit"),
        pytest.param(using(test="os.abort()"), (), -signal.SIGABRT, id="abort"),
    ],
)
def test_end_of_a_run_that_uses_a_container(
    workspace: Workspace, module: str, args: tuple[str, ...], code: int
) -> None:
    workspace.project(test_it=module)
    output = workspace.pytest(*args, code=code)
    assert "pytest_zlayer/" not in output.partition("short test summary")[0] or code < 0


@pytest.mark.parametrize(
    ("numbers", "isolation", "code"),
    [
        ([signal.SIGINT], "auto", 2),
        # The second one hits pytest wherever it is: its status is 2 or that of a broken run.
        ([signal.SIGINT, signal.SIGINT], "auto", None),
        ([signal.SIGTERM], "chroot", 128 + signal.SIGTERM),
        ([signal.SIGHUP], "chroot", 128 + signal.SIGHUP),
        ([signal.SIGKILL], "auto", -signal.SIGKILL),
        ([signal.SIGKILL], "chroot", -signal.SIGKILL),
    ],
    ids=["ctrl-c", "ctrl-c-twice", "term", "hangup", "kill", "kill-chroot"],
)
def test_signal_to_all_in_the_terminal_during_a_run(
    workspace: Workspace, numbers: list[signal.Signals], isolation: str, code: int | None
) -> None:
    daemon = f"setsid sh -c 'trap \"\" TERM HUP INT; {workspace.nap}' &"
    run = workspace.start_sleeping(f"--zlayer-isolation={isolation}", before=daemon)
    groups = [path for pid in run.wait_inside(workspace.nap, 2) for path in cgroups_of(pid)]
    for number in numbers:
        os.killpg(run.process.pid, number)
    status = run.wait()
    assert status == code if code is not None else status != 0, run.output()
    assert workspace.difference() == {}
    assert [path for path in groups if path.exists()] == []


def test_second_sigterm_is_not_waited_for(workspace: Workspace) -> None:
    run = workspace.start_sleeping(before="trap '' TERM;")
    run.process.send_signal(signal.SIGTERM)
    run.process.send_signal(signal.SIGTERM)
    assert run.wait() in (128 + signal.SIGTERM, -signal.SIGTERM)


def test_kill_while_a_test_uses_a_container(workspace: Workspace) -> None:
    module = using(test=f"container.run('{workspace.nap}')")
    workspace.project(test_it=module)
    run = workspace.start()
    run.wait_inside(workspace.nap)
    run.process.kill()
    run.end(-signal.SIGKILL)


@pytest.mark.parametrize("isolation", ["auto", "buildah", "chroot", "chroot without unshare"])
def test_kill_while_something_is_left_running_in_a_container(
    workspace: Workspace, tmp_path: Path, isolation: str
) -> None:
    environment = {}
    if "without" in isolation:
        programs = tmp_path / "programs"
        programs.mkdir()
        (programs / "buildah").symlink_to(str(shutil.which("buildah")))
        environment["PATH"] = str(programs)
    left = f"setsid sh -c 'trap \"\" TERM HUP INT; {workspace.nap}; exit 1' &"
    module = using(test=f"container.run({left!r}); container.run('{workspace.nap}')")
    workspace.project(test_it=module)
    run = workspace.start(f"--zlayer-isolation={isolation.partition(' ')[0]}", **environment)
    run.wait_inside(workspace.nap, 2)
    run.process.kill()
    run.end(-signal.SIGKILL)
    assert workspace.difference() == {}


def test_forked_child_that_lives_on_keeps_nothing(workspace: Workspace) -> None:
    sleeping = workspace.nap.split()
    child = f"os.fork() or os.execl({sleeping[0]!r}, *{sleeping!r})"
    workspace.project(test_it=using(test=child))
    run = workspace.start()
    run.wait()
    assert workspace.difference() == {}
    assert executing(workspace.nap) != []


def test_two_runs_do_not_touch_each_other(workspace: Workspace) -> None:
    one = workspace.start_sleeping()
    first = set(executing(workspace.nap))
    other = workspace.start()  # waits for the same layer
    one.process.kill()
    one.wait()
    workspace.sweep()
    wait_until(lambda: set(executing(workspace.nap)) - first, "the RUN of the other")
    wait_until(lambda: len(workspace.storage.leftovers()["journals"]) == 1, "the end of the one")
    workspace.sweep()
    assert other.process.poll() is None
    other.process.send_signal(signal.SIGINT)
    other.end(2)
