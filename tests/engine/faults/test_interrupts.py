"""Who stops a build is obeyed at once, and stops nothing but that build."""

from __future__ import annotations

import signal

import pytest

from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace

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
from contextlib import contextmanager
from pathlib import Path

ERRORS = []

class TooLong({base}):
    pass

def stop(*_):
    raise TooLong

@contextmanager
def limited(seconds):
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

def test_first(zlayer_build, tmp_path):
    try:
        with limited(8.0):
            zlayer_build(text={text!r}, name="first")
    except TooLong as error:
        ERRORS.append(error)
    else:
        raise AssertionError("it was not stopped")

def test_second(zlayer_build):
    try:
        with limited(8.0):
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
    workspace.pytest("--zlayer-prebuild=off")
