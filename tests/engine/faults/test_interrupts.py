"""Who stops a build is obeyed at once, and stops nothing but that build."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.run_request import RunRequest
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace, executing, processes, send
from tests.waiting import wait_until

DECLARED = """
import pytest

@pytest.mark.image(text={text!r})
def test_it(zlayer_image):
    pass
"""

CALLED = """
def test_it(zlayer_build):
    zlayer_build(text={text!r})
"""

# What pytest-timeout does: an exception out of a signal handler, in the main thread.
LIMITED = """
import signal

ERRORS = []

class TooLong({base}):
    pass

def stop(*_):
    raise TooLong

signal.signal(signal.SIGALRM, stop)

def test_first(zlayer_build, tmp_path):
    try:
        zlayer_build(text={text!r}, name="first")
    except TooLong as error:
        ERRORS.append(error)
    else:
        raise AssertionError("it was not stopped")

def test_second(zlayer_build):
    try:
        zlayer_build(text={text!r}, name="second")
    except TooLong as error:
        assert error is not ERRORS[0]
    else:
        raise AssertionError("it was not stopped")
    assert zlayer_build(text={other!r}).run(["cat", "/x"]).stdout == "x\\n"
"""


def text(*steps: str) -> str:
    return "\n".join([f"FROM {BUSYBOX}", *steps, ""])


@pytest.mark.parametrize("often", [1, 2])
@pytest.mark.parametrize("module", [DECLARED, CALLED], ids=["declared", "called"])
def test_ctrl_c_during_a_run_that_the_main_thread_waits_for(
    workspace: Workspace, module: str, often: int
) -> None:
    workspace.project(test_it=module.format(text=text(f"RUN {workspace.nap}")))
    run = workspace.start("--zlayer-prebuild=off")
    run.wait_inside(workspace.nap)
    for _ in range(often):
        run.process.send_signal(signal.SIGINT)
    status = run.wait()
    assert status == 2 if often == 1 else status != 0, run.output()


@pytest.mark.parametrize(
    ("number", "often"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 1)]
)
def test_signal_to_the_program_during_a_run(
    workspace: Workspace, number: signal.Signals, often: int
) -> None:
    workspace.write(Dockerfile=text(f"RUN {workspace.nap}"))
    run = workspace.start_program("pytest_zlayer", "build", ".")
    run.wait_inside(workspace.nap)
    for _ in range(often):
        run.process.send_signal(number)
    status = run.wait()
    assert status == 130 if often == 1 else status != 0, run.output()


@pytest.mark.parametrize("base", ["Exception", "BaseException"])
def test_time_limit_of_a_test_ends_its_build_and_no_other(workspace: Workspace, base: str) -> None:
    module = LIMITED.format(
        base=base, text=text(f"RUN {workspace.nap}"), other=text("RUN echo x > /x")
    )
    workspace.project(test_it=module)
    run = workspace.start("--zlayer-prebuild=off")
    first = run.wait_inside(workspace.nap)
    run.process.send_signal(signal.SIGALRM)
    wait_until(lambda: set(executing(workspace.nap)) - set(first), "the second RUN")
    run.process.send_signal(signal.SIGALRM)
    run.end(0)


# -- while it is found out how commands can be run --

RUNTIME = """#!/bin/sh
if [ -e {flag} ]; then echo >> {began}; exec sleep 600; fi
exec {real} "$@"
"""


class Slow:
    """An OCI runtime that waits until it is allowed to go on."""

    def __init__(self, directory: Path) -> None:
        real = shutil.which("runc")
        if real is None:
            pytest.skip("needs runc")
        (directory / "bin").mkdir()
        self.flag, self.began = directory / "flag", directory / "began"
        self.flag.touch()
        script = directory / "bin" / "crun"  # what is tried first
        script.write_text(RUNTIME.format(flag=self.flag, began=self.began, real=real))
        script.chmod(0o755)
        self.name = "oci with crun"
        self.environment = {"PATH": f"{directory}/bin:{os.environ['PATH']}"}

    def tries(self) -> int:
        return len(self.began.read_text()) if self.began.exists() else 0


@pytest.mark.parametrize("kind", ["isolation", "specification"])
def test_interrupt_while_it_is_found_out_how_commands_run(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    slow, storage = Slow(tmp_path), workspace.storage
    environment = {**storage.environment, **slow.environment}
    with contextlib.closing(storage.open(environment=environment)) as engine:
        request = RunRequest(engine.from_image(BUSYBOX), ["/bin/true"], user="0:0")
        if kind == "specification":
            slow.flag.unlink()
            assert engine.isolation.startswith("oci")
            request = replace(request, network="none")  # which has a specification of its own
            slow.flag.touch()
        before = slow.tries()
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(engine.run, request)
            wait_until(lambda: slow.tries() > before, "the runtime is started")
            engine.interrupt()
            with pytest.raises(EngineError) as caught:
                run.result()
        assert caught.value.interrupted
        slow.flag.unlink()
        assert engine.run(request).exit_code == 0  # it is found out by the next one
        assert str(engine.isolated_by) == slow.name
    with contextlib.closing(storage.open(environment=environment)) as engine:
        assert str(engine.isolated_by) == slow.name


def test_killed_attempt_is_not_remembered(workspace: Workspace, tmp_path: Path) -> None:
    slow, storage = Slow(tmp_path), workspace.storage
    environment = {**storage.environment, **slow.environment}
    engine = storage.open(environment=environment)
    with contextlib.closing(engine), ThreadPoolExecutor(1) as pool:
        found = pool.submit(lambda: engine.isolated_by)
        wait_until(slow.tries, "the runtime is started")
        slow.flag.unlink()
        send(signal.SIGKILL, processes("/exit-zero", "/buildah"))
        assert str(found.result()) != slow.name
    with contextlib.closing(storage.open(environment=environment)) as engine:
        assert str(engine.isolated_by) == slow.name
