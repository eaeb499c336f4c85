"""Whatever several processes ask for at the same time is built once, and handed over."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_zlayer.buildah.errors import EngineTimeout
from pytest_zlayer.builder.model.spec import ImageSpec
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace, descends_from, executing, stopped
from tests.holding import HOLD
from tests.waiting import wait_until

# Each RUN that is executed adds a line to a file that outlives it.
COUNTED = """\
FROM {base} AS first
RUN --mount=type=cache,target=/c,id=counted echo first >> /c/runs; {wait}; echo 1 > /first
FROM {base} AS second
RUN --mount=type=cache,target=/c,id=counted echo second >> /c/runs; {wait}; echo 2 > /second
FROM first
COPY --from=second /second /second
RUN --mount=type=cache,target=/c,id=counted echo third >> /c/runs; cat /first /second > /third
"""
WAIT = "until test -e /c/go; do sleep 0.1; done"
TEXT = COUNTED.format(base=BUSYBOX, wait=WAIT)
QUICK = COUNTED.format(base=BUSYBOX, wait="sleep 0.5")
GO = f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c,id=counted touch /c/go\n"
SHOW = f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c,id=counted sort /c/runs > /runs\n"


def executed(workspace: Workspace) -> list[str]:
    """The RUN steps that have been executed so far."""
    with building(workspace.storage, cache="session", no_cache=True) as builds:
        return builds.build(SHOW).path("/runs").read_text().split()


def go_on(workspace: Workspace) -> None:
    """End what the steps wait for."""
    with building(workspace.storage, cache="session") as builds:
        builds.build(GO)


def test_eight_processes_want_one_image(workspace: Workspace) -> None:
    workspace.project(
        test_it=f"""
import pytest

@pytest.mark.image(text={TEXT!r})
def test_it(zlayer_image):
    assert zlayer_image.path("/third").read_text() == "1\\n2\\n"
"""
    )
    runs = [workspace.start() for _ in range(8)]
    wait_until(lambda: [run for run in runs if "waiting" in run.output()], "one that waits")
    go_on(workspace)
    outputs = [run.end(0) for run in runs]
    assert executed(workspace) == ["first", "second", "third"]
    assert [one for one in outputs if "1 passed" not in one] == []


def test_eight_threads_want_images_that_share_stages(workspace: Workspace) -> None:
    with building(workspace.storage) as builds, ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda number: builds.build(QUICK, labels={"n": str(number % 4)}), range(8))
        )
        assert len({image.id for image in made}) == 4
    assert executed(workspace) == ["first", "second", "third"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_killed_builder_hands_over_to_one_that_waits(
    workspace: Workspace, number: signal.Signals
) -> None:
    count = "--mount=type=cache,target=/c,id=counted echo run >> /c/runs"
    wait = f"test -e /c/second || {{ >/c/second; {workspace.nap}; }}; echo whole > /whole"
    text = [f"RUN {count}; {wait}"]
    workspace.project(test_it=workspace.building(*text))
    runs = [workspace.start("--zlayer-progress=plain") for _ in range(3)]
    [inside] = wait_until(lambda: executing(workspace.nap), "the RUN")
    wait_until(lambda: sum("waiting for" in run.output() for run in runs) == 2, "two that wait")
    [builder] = [run for run in runs if descends_from(inside, run.process.pid)]
    builder.process.send_signal(number)
    builder.wait()
    for run in runs:
        if run is not builder:
            assert "1 passed" in run.end(0)
    assert executed(workspace) == ["run", "run"]


@pytest.mark.parametrize("hurry", [False, True], ids=["wait", "hurry"])
def test_session_that_ends_finishes_what_another_process_waits_for(
    workspace: Workspace, hurry: bool
) -> None:
    count = "--mount=type=cache,target=/c,id=counted echo run >> /c/runs"
    step = f"RUN {count}; echo begun; {WAIT}; echo whole > /whole"
    workspace.project(test_it=workspace.building(step))
    text = f"FROM {BUSYBOX}\n{step}\n"
    with building(workspace.storage) as builds:
        builds.session.prebuild([ImageSpec(text=text)])
        wait_until(lambda: builds.said("begun"), "the RUN")
        run = workspace.start("--zlayer-progress=plain")
        wait_until(lambda: "waiting for" in run.output(), "one that waits")
        with ThreadPoolExecutor() as pool:
            closing = pool.submit(builds.session.close, hurry=hurry)
            if hurry:
                closing.result()
            go_on(workspace)
            closing.result()
        assert "1 passed" in run.end(0)
    assert executed(workspace) == (["run", "run"] if hurry else ["run"])


def test_base_changes_its_tag_while_it_is_used(workspace: Workspace) -> None:
    """Others may give the name of a base to another image at any time."""
    base = "localhost/test/moving:1"
    with building(workspace.storage) as builds:
        other = builds.build(f"FROM {BUSYBOX}\nRUN echo other > /other\n")
        workspace.storage.buildah("tag", other.name, "localhost/test/other:1")
        workspace.storage.buildah("tag", BUSYBOX, base)
        stop = threading.Event()

        def move() -> None:
            while not stop.wait(0.05):
                workspace.storage.buildah("tag", "localhost/test/other:1", base)
                workspace.storage.buildah("tag", BUSYBOX, base)

        mover = threading.Thread(target=move)
        mover.start()
        try:
            for number in range(4):
                text = f"FROM {base}\nRUN echo {number} > /n\nRUN echo again > /m\n"
                assert builds.build(text).path("/n").read_text() == f"{number}\n"
        finally:
            stop.set()
            mover.join()
        for name in (base, "localhost/test/other:1"):
            workspace.storage.buildah("rmi", name)


def test_many_builds_at_once_are_all_right(workspace: Workspace) -> None:
    """Nothing is lost or mixed up, and a second round adds nothing to the storage."""

    def work(number: int) -> str:
        text = f"FROM {BUSYBOX}\nRUN echo {number} | tee /n\nRUN echo line $(cat /n)\n"
        image = builds.build(text, name=f"n{number}")
        return image.path("/n").read_text()

    with building(workspace.storage, jobs=8, cache="session") as builds:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(24))) == [f"{number}\n" for number in range(24)]
        lines = [event.text for event in builds.events if type(event).__name__ == "OutputLine"]
    wanted = [f"{number}" for number in range(24)] + [f"line {number}" for number in range(24)]
    assert sorted(lines) == sorted(wanted)


def test_stopped_process_that_holds_a_lock_is_named_in_time(workspace: Workspace) -> None:
    lock = workspace.storage.root / "overlay-images" / "images.lock"
    argv = [sys.executable, "-c", HOLD, str(lock)]
    with building(workspace.storage) as builds:
        engine = builds.session.engine
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            try:
                with stopped(holder.pid), pytest.raises(EngineTimeout) as caught:
                    engine._commander.output(["images"], timeout=1.0)
            finally:
                holder.kill()
        assert builds.build(QUICK).path("/third").exists()
    assert caught.value.message == "buildah images did not end within 1 s and was ended"
    assert f"process {holder.pid} " in str(caught.value.hint)
