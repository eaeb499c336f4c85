"""Children that a run forks while images are built in its background."""

from __future__ import annotations

from tests.engine.faults.workspace import BUILT, Workspace

# What pytest-forked does: each test with its fixtures runs in a child, which ends at once.
FORKING = """
import os
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            reports = runtestprotocol(item, log=False)
            for report in reports:
                print(report.longreprtext, flush=True)
            status = sum(report.failed for report in reports)
        finally:
            os._exit(status)
    print(item.name, os.waitpid(pid, 0)[1], flush=True)
    return True
"""

IMAGES = f"""
import pytest

@pytest.mark.image(text={BUILT!r} + "RUN sleep 2; echo first > /x\\n")
def test_first(zlayer_image):
    assert zlayer_image.run(["cat", "/x"]).stdout == "first\\n"

@pytest.mark.image(text={BUILT!r} + "RUN sleep 2; echo second > /x\\n")
def test_second(zlayer_image):
    assert zlayer_image.path("/x").read_text() == "second\\n"
"""

CHILDREN = """
import multiprocessing, os, sys
import pytest

FORK = multiprocessing.get_context("fork")

def answer():
    return 42

def test_pool():
    with FORK.Pool(2) as pool:
        assert pool.apply(answer) == 42

def test_process():
    child = FORK.Process(target=answer)
    child.start()
    child.join()
    assert child.exitcode == 0

@pytest.mark.parametrize("image_of", ["own", "parent"])
def test_fork(image_of, request):
    image = request.getfixturevalue("zlayer_image") if image_of == "parent" else None
    pid = os.fork()
    if pid == 0:
        try:
            image and image.run(["true"])
        except Exception as error:
            os._exit(7 if "belongs to the process that forked this one" in str(error) else 8)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == (7 if image else 0)
"""


def test_each_test_in_a_child_of_its_own(workspace: Workspace) -> None:
    workspace.project(conftest=FORKING, test_it=IMAGES)
    output = workspace.pytest("-s")
    assert "test_first 0\n" in output
    assert "test_second 0\n" in output


def test_children_wait_for_no_thread_of_their_parent(workspace: Workspace) -> None:
    mark = f"pytestmark = pytest.mark.image(text={BUILT!r})\n"
    workspace.project(test_it=CHILDREN + mark, test_more=IMAGES)
    workspace.pytest()
