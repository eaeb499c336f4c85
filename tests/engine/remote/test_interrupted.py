"""Runs that are ended while layers are on their way leave nothing, here and there."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.events import BuildFailed, OutputLine
from tests.engine.building import Builds, write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.project import Project
from tests.engine.remote.conftest import Shared, of, problems, sent

DOCKERFILE = f"FROM {BUSYBOX}\nRUN echo one > /one\nCOPY data /\nRUN cat /data > /copy\n"
TEST = """\
import pytest

@pytest.mark.image("it")
def test_image(zlayer_image):
    assert zlayer_image.path("/copy").read_text() == "hello\\n"
"""


@pytest.fixture
def project(shared: Shared, tmp_path: Path) -> Project:
    files = {"test_it.py": TEST, "it/Dockerfile": DOCKERFILE, "it/data": "hello\n"}
    folder = write_files(tmp_path / "project", {**files, "pytest.ini": "[pytest]\n"})
    conf = str(shared.conf)
    return Project(folder, shared.machine().storage, CONTAINERS_REGISTRIES_CONF=conf)


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for what a process does."""
    for _ in range(2400):
        if condition():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    pytest.fail(f"it did not come so far: {process.communicate()[0]}")


def place_options(shared: Shared, *ways: str) -> list[str]:
    return [f"--zlayer-cache-{way}={shared.place.repository}" for way in ways]


def hanging(shared: Shared, method: str) -> Callable[[], bool]:
    """Have transfers of layers hang; whether one does."""
    shared.proxy.only, shared.proxy.always = method, "hang"
    return lambda: any("/blobs/" in one for one in of(shared.proxy, method))


def happens(condition: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    for _ in range(2400):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen")


def release_after_builds(shared: Shared, builds: Builds) -> None:
    """Let requests pass once a build was interrupted."""
    happens(lambda: any(isinstance(one, BuildFailed) for one in builds.events))
    shared.proxy.released.set()


def kill(process: subprocess.Popen[str], project: Project) -> None:
    """Kill a run, and wait until its agent has removed all of it."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
    happens(lambda: project.storage._journals() == [])


def leftovers(project: Project) -> dict[str, list[str]]:
    project.storage.sweep()
    found = {name: one for name, one in project.storage.leftovers().items() if one}
    sessions = project.storage.root / "zlayer" / "cache" / "sessions"
    if sessions.exists() and any(sessions.iterdir()):
        found["shared directories"] = [one.name for one in sessions.iterdir()]
    return found


def test_a_run_that_is_killed_while_it_fetches_leaves_nothing(
    shared: Shared, project: Project
) -> None:
    other = Project(project.folder, shared.machine().storage, **_conf(shared))
    other.pytest("-q", *place_options(shared, "to"))
    shared.proxy.requests.clear()
    hangs = hanging(shared, "GET")
    # The manifest, by its tag and by its digest: what follows are blobs.
    shared.proxy.faults = [None, None]
    process = project.popen("pytest", "-q", *place_options(shared, "from"))
    until(hangs, process)
    kill(process, project)
    shared.proxy.only, shared.proxy.always = "", None
    shared.proxy.released.set()
    project.pytest("-q", *place_options(shared, "from"))
    assert leftovers(project) == {}


def test_a_run_that_is_killed_while_it_sends_leaves_no_half_entry(
    shared: Shared, project: Project
) -> None:
    hangs = hanging(shared, "PUT")
    options = place_options(shared, "to")
    process = project.popen("pytest", "-q", "--zlayer-cache-push-timeout=600", *options)
    until(hangs, process)
    kill(process, project)
    shared.proxy.only, shared.proxy.always = "", None
    shared.proxy.released.set()
    repository = shared.place.repository.partition("/")[2]
    answer, body = shared.registry._ask("GET", f"/v2/{repository}/tags/list")
    assert answer.status == 404 or not json.loads(body)["tags"]
    with shared.session(cache_from=(shared.place,)) as builds:
        builds.build(DOCKERFILE, shared.context)
    assert problems(builds) == []
    assert leftovers(project) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_who_wants_to_end_does_not_wait_for_an_upload(
    shared: Shared, project: Project, number: signal.Signals
) -> None:
    hangs = hanging(shared, "PUT")
    options = place_options(shared, "to")
    process = project.popen("pytest", "-q", "--zlayer-cache-push-timeout=600", *options)
    until(hangs, process)
    process.send_signal(number)
    said, _ = process.communicate(timeout=120)  # of 600 seconds that it would wait otherwise
    assert process.returncode != 1, said
    assert leftovers(project) == {}


def test_the_end_waits_no_longer_than_it_is_to(shared: Shared, project: Project) -> None:
    hanging(shared, "PUT")
    said = project.pytest("-q", "--zlayer-cache-push-timeout=1", *place_options(shared, "to"))
    assert "not all layers could be sent within 1 s" in said
    assert "1 passed" in said
    assert leftovers(project) == {}


def _conf(shared: Shared) -> dict[str, str]:
    return {"CONTAINERS_REGISTRIES_CONF": str(shared.conf)}


def test_layers_on_their_way_arrive_though_builds_ahead_are_ended(shared: Shared) -> None:
    wanted = ImageSpec(text=DOCKERFILE, context=shared.context)
    endless = ImageSpec(text=f"FROM {BUSYBOX}\nRUN echo begun; sleep 3600\n")
    shared.proxy.held = "/tags/list"  # what an upload begins with
    with shared.session(cache_to=shared.place) as builds:
        builds.session.prebuild([endless, wanted])
        image = builds.session.build(wanted)
        happens(lambda: any(isinstance(one, OutputLine) for one in builds.events))
        happens(lambda: shared.proxy.requests)
        ended = threading.Thread(target=release_after_builds, args=[shared, builds])
        ended.start()
    ended.join()
    assert problems(builds) == []
    assert [one.layers for one in sent(builds)] == [3]
    with shared.session(cache_from=(shared.place,)) as reader:
        assert reader.build(DOCKERFILE, shared.context).id == image.id
        assert reader.executed() == []


def test_layers_that_could_not_be_sent_are_reported(shared: Shared) -> None:
    hangs = hanging(shared, "PUT")
    with shared.session(cache_to=shared.place) as builds:
        builds.build(DOCKERFILE, shared.context)
        happens(hangs)
        builds.session.engine.interrupt()
    assert problems(builds) == ["not all layers were sent: that was interrupted"]


def test_a_session_that_was_interrupted_sends_nothing_more(shared: Shared) -> None:
    hangs = hanging(shared, "PUT")
    with shared.session(cache_to=shared.place, cache_push_timeout=3600.0) as builds:
        builds.build(DOCKERFILE, shared.context)
        happens(hangs)
        builds.session._stop.set()  # and no more than that: the upload goes on
    assert problems(builds) == []
    assert sent(builds) == []
