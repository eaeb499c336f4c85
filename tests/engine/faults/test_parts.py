"""Parts of a run that are killed: a worker, the controller, buildah, the agent, the command."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import threading

import pytest

from pytest_zlayer.buildah.errors import EngineError, EngineUnusable
from pytest_zlayer.builder.model.errors import BuildError
from tests.engine.building import Builds, building
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import (
    BUILT,
    Workspace,
    descends_from,
    executing,
    processes,
    send,
)
from tests.waiting import wait_until

WORKERS = """
import os, signal, subprocess
import pytest

TEXT = {text!r}

@pytest.mark.parametrize("number", range(4))
@pytest.mark.image(text=TEXT)
def test_it(zlayer_container, number):
    zlayer_container.run(["touch", "/mine"])
    {action}
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 2), (signal.SIGTERM, 128 + 15)],
    ids=["kill", "ctrl-c", "term"],
)
def test_controller_of_workers_is_signalled(
    workspace: Workspace, number: signal.Signals, code: int
) -> None:
    text = f"FROM {BUSYBOX}\nRUN echo begun\n"
    action = f"zlayer_container.run({workspace.nap!r})"
    workspace.project(test_it=WORKERS.format(text=text, action=action))
    run = workspace.start("-n2")
    run.wait_inside(workspace.nap, 2)
    run.process.send_signal(number)
    assert run.wait() in (code, -number), run.output()


def test_worker_is_killed_and_the_others_go_on(workspace: Workspace) -> None:
    action = "number or os.kill(os.getpid(), signal.SIGKILL)"
    workspace.project(test_it=WORKERS.format(text=f"FROM {BUSYBOX}\nRUN true\n", action=action))
    output = workspace.pytest("-n2", code=1)
    assert "1 failed, 3 passed" in output


def test_worker_is_killed_while_it_builds_and_another_builds_on(workspace: Workspace) -> None:
    once = "test -e /c/again || { >/c/again; echo waits; " + workspace.nap + "; }"
    text = f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c {once}\n"
    workspace.project(test_it=WORKERS.format(text=text, action="pass"))
    run = workspace.start("-n2", "--zlayer-prebuild=off")
    inside = run.wait_inside(workspace.nap)[0]
    [builder] = [pid for pid in run.workers() if descends_from(inside, pid)]
    os.kill(builder, signal.SIGKILL)
    assert "1 failed, 3 passed" in run.end(1)


GONE = "the process that runs buildah for this session has ended"
KILLED = "the process that runs buildah for this session was killed, and its commands with it"


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_agent_is_killed_under_a_run_and_the_build_goes_on(
    workspace: Workspace, isolation: str
) -> None:
    count = "echo begun >> /c/log"
    once = f"{count}; test -e /c/again || {{ >/c/again; {workspace.nap}; }}; cp /c/log /log"
    text = f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c {once}\n"
    with building(workspace.storage, isolation=isolation) as builds:
        killer = threading.Thread(target=_kill_agent_under_the_run, args=(workspace, builds))
        killer.start()
        assert builds.build(text).path("/log").read_text() == "begun\nbegun\n"
        killer.join()


def _kill_agent_under_the_run(workspace: Workspace, builds: Builds) -> None:
    wait_until(lambda: executing(workspace.nap), "the RUN")
    _kill_agent(builds)


def _kill_agent(builds: Builds) -> None:
    os.kill(builds.session.engine._client.pid, signal.SIGKILL)


def test_agent_is_killed_with_all_that_watches_its_commands(workspace: Workspace) -> None:
    once = f"test -e /c/again || {{ >/c/again; {workspace.nap}; }}; echo done > /done"
    workspace.project(test_it=workspace.building(f"RUN --mount=type=cache,target=/c {once}"))
    run = workspace.start("--zlayer-isolation=chroot")
    run.wait_inside(workspace.nap)
    agents = [pid for pid in processes("buildah/agent") if descends_from(pid, run.process.pid)]
    send(signal.SIGKILL, agents)
    assert "1 passed" in run.end(0)


def test_agent_is_killed_under_a_run_which_is_repeated_only_once(workspace: Workspace) -> None:
    run = workspace.start_sleeping()
    for _ in range(2):
        sleeping = set(run.wait_inside(workspace.nap))
        [agent] = run.agents()
        os.kill(agent, signal.SIGKILL)
        wait_until(
            lambda old=sleeping: not old & set(processes(workspace.nap)), "the end of the RUN"
        )
    output = run.end(1)
    assert f": {KILLED}\n" in output
    assert "hint: it may have run out of memory" in output
    assert "Traceback" not in output


def test_agent_is_killed_between_builds(workspace: Workspace) -> None:
    with building(workspace.storage) as builds:
        first = builds.build(BUILT)
        _kill_agent(builds)
        assert first.path("/built").read_text() == "built\n"
        _kill_agent(builds)
        assert builds.build(f"{BUILT}RUN echo on > /on\n").path("/on").read_text() == "on\n"


OPEN_CONTAINER = f"""
import os, time
import pytest

BUILT = {BUILT!r}

@pytest.mark.image(text=BUILT)
def test_it(zlayer_container):
    zlayer_container.run(["touch", "/mine"])
    {{action}}
    assert zlayer_container.path("/mine").exists()
    assert zlayer_container.run(["ls", "/mine"]).stdout == "/mine\\n"
"""


def test_agent_is_killed_while_a_container_is_open(workspace: Workspace) -> None:
    """The container is what it was before."""
    action = """open("open", "w").close()
    while os.path.exists("open"):
        time.sleep(0.05)"""
    project = workspace.project(test_it=OPEN_CONTAINER.format(action=action))
    run = workspace.start()
    wait_until((project / "open").exists, "the container")
    [agent] = run.agents()
    os.kill(agent, signal.SIGKILL)
    (project / "open").unlink()
    assert "1 passed" in run.end(0)


def test_agent_is_killed_while_a_test_runs_a_command(workspace: Workspace) -> None:
    """What a test itself runs is not repeated for it; its container can be used all the same."""
    action = f"""with pytest.raises(Exception) as caught:
        zlayer_container.run({workspace.nap.split()!r})
    print("said:", caught.value)"""
    workspace.project(test_it=OPEN_CONTAINER.format(action=action))
    run = workspace.start("-rP")
    run.wait_inside(workspace.nap)
    [agent] = run.agents()
    os.kill(agent, signal.SIGKILL)
    assert f"said: {KILLED}\n" in run.end(0)


def test_agent_is_killed_four_times(workspace: Workspace) -> None:
    with building(workspace.storage) as builds:
        for _ in range(3):
            _kill_agent(builds)
            builds.session.engine.containers()
        _kill_agent(builds)
        for _ in range(2):
            with pytest.raises(EngineUnusable) as caught:
                builds.build(f"{BUILT}RUN true\n")
            assert str(caught.value) == GONE


def test_agent_and_pytest_are_killed(workspace: Workspace) -> None:
    run = workspace.start_sleeping("--zlayer-isolation=chroot")
    [agent] = run.agents()
    os.kill(agent, signal.SIGKILL)
    run.process.kill()
    run.wait()
    workspace.storage.wait_until_dead()
    workspace.sweep()


@pytest.mark.parametrize("isolation", ["buildah", "chroot"])
def test_buildah_is_killed_under_a_run_which_is_repeated_once(
    workspace: Workspace, isolation: str
) -> None:
    run = workspace.start_sleeping(f"--zlayer-isolation={isolation}")
    first = set(run.wait_inside(workspace.nap))
    send(signal.SIGKILL, _mine(workspace, "run"))
    wait_until(lambda: set(executing(workspace.nap)) - first, "the second attempt")
    assert not set(executing(workspace.nap)) & first
    send(signal.SIGKILL, _mine(workspace, "run"))
    output = run.end(1)
    assert ": buildah was killed by " in output
    assert "hint: it may have run out of memory" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_command_of_a_run_is_killed(workspace: Workspace, isolation: str) -> None:
    run = workspace.start_sleeping(f"--zlayer-isolation={isolation}", before="exec")
    send(signal.SIGKILL, run.wait_inside(workspace.nap))
    output = run.end(1)
    assert (
        "failed at <inline Dockerfile>:2 (stage stage-0): the command was killed by signal 9\n"
        in (output)
    )
    assert "exit code: 137" in output


def test_container_is_half_removed_under_a_run(workspace: Workspace) -> None:
    once = f"test -e /c/again || {{ >/c/again; {workspace.nap}; }}; echo done > /done"
    text = f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c {once}\n"
    thread = threading.Thread(target=_remove_half_of_the_container, args=(workspace,))
    thread.start()
    with building(workspace.storage, isolation="buildah") as builds:
        assert builds.build(text).path("/done").read_text() == "done\n"
    thread.join()


def _remove_half_of_the_container(workspace: Workspace) -> None:
    wait_until(lambda: executing(workspace.nap), "the RUN")
    for directory in (workspace.storage.root / "overlay-containers").iterdir():
        if directory.is_dir():
            shutil.rmtree(directory)
    send(signal.SIGKILL, _mine(workspace, "run"))


VERBS = ("from", "pull", "tag", "rm", "rmi", "mount")


@pytest.mark.parametrize("verb", VERBS)
def test_buildah_is_killed_at_any_time(workspace: Workspace, verb: str) -> None:
    """Every build ends with its image or one clear error, and the next one is green."""
    stop = threading.Event()
    killed: list[int] = []

    def shoot() -> None:
        chance = random.Random(verb)
        while not stop.wait(chance.uniform(0.0, 0.03)):
            mine = _mine(workspace, verb)
            if len(killed) < 4 and mine and chance.random() < 0.6:
                killed.extend(mine)
                send(signal.SIGKILL, mine)

    shooter = threading.Thread(target=shoot)
    shooter.start()
    problems = [_build_and_remove(workspace, number) for number in range(2)]
    stop.set()
    shooter.join()
    assert [one for one in problems if one and "signal" not in one] == []
    # A session waits only some seconds for the removal of what the one before has left.
    workspace.sweep()
    assert _build_and_remove(workspace, 99) == ""
    if not killed:
        pytest.skip(f"buildah {verb} was too quick to be killed")


def _mine(workspace: Workspace, verb: str) -> list[int]:
    options = f"--root {workspace.storage.root} --runroot {workspace.storage.runroot}"
    return processes(f"{options} --storage-driver overlay {verb} ", "/buildah")


def _build_and_remove(workspace: Workspace, number: int) -> str:
    """Builds something with a layer of each kind, without leaving cached layers; the error."""
    text = f"FROM {BUSYBOX}\nRUN head -c 8000000 /dev/urandom > /{number}\nWORKDIR /w{number}\n"
    try:
        with building(workspace.storage, cache="session") as builds:
            builds.build(text).path("/").iterdir()
    except (EngineError, BuildError) as error:
        return error.message
    return ""


def test_nothing_is_made_where_a_dead_agent_has_removed_its_files(workspace: Workspace) -> None:
    with contextlib.suppress(EngineUnusable), building(workspace.storage) as builds:
        agent = builds.session.engine._client.pid
        os.kill(agent, signal.SIGTERM)
        wait_until(lambda: not workspace.storage.temporary_files(), "the agent's clean-up")
        with pytest.raises(EngineUnusable, match=GONE):
            builds.build(f"{BUILT}RUN true\n")
