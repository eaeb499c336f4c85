"""Fixtures and reports, in runs of pytest with a real podman."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent.journal import is_dead
from tests.engine.faults.workspace import parent_of, send
from tests.engine.services.conftest import ServiceStorage, needs_podman
from tests.waiting import wait_until

pytestmark = needs_podman
TESTS = '''
import urllib.request

import pytest

from pytest_zlayer import ready, service_fixture

WEB = """FROM localhost/test/busybox:1
RUN mkdir /www && echo hello > /www/index.html
EXPOSE 8080
CMD ["httpd", "-f", "-v", "-p", "8080", "-h", "/www"]
"""


def get(service):
    return urllib.request.urlopen(service.url()).read()

'''
PASSING = (
    TESTS
    + """
shared = service_fixture(text=WEB, ready=ready.http(), name="shared")


def test_shared(shared):
    assert get(shared) == b"hello\\n"


@pytest.mark.image(text=WEB)
@pytest.mark.parametrize("number", range(4))
def test_own(zlayer_service, number):
    assert get(zlayer_service) == b"hello\\n"


@pytest.mark.image(text=WEB, name="server")
@pytest.mark.image(text="FROM localhost/test/busybox:1", name="client")
@pytest.mark.zlayer_service(name="server")
@pytest.mark.zlayer_service("sleep 1000", name="client")
def test_two(zlayer_services):
    assert list(zlayer_services) == ["server", "client"]
    assert zlayer_services["client"].run("wget -qO- http://server:8080/").stdout == "hello\\n"


@pytest.mark.image(text=WEB, name="server")
@pytest.mark.image(text="FROM localhost/test/busybox:1", name="client")
@pytest.mark.zlayer_service(name="server", engine="podman")
@pytest.mark.zlayer_service("sleep 1000", name="client", engine="podman")
def test_two_of_an_engine(zlayer_services):
    assert zlayer_services["client"].run("wget -qO- http://server:8080/").stdout == "hello\\n"


@pytest.mark.image(text=WEB)
def test_network(zlayer_image, zlayer_network):
    with zlayer_image.serve(network=zlayer_network, name="one") as one:
        assert get(one) == b"hello\\n"
"""
)
FAILING = (
    # None of these hears a SIGTERM, and what is kept is stopped first.
    TESTS.replace("EXPOSE", "STOPSIGNAL SIGKILL\nEXPOSE")
    + """
shared = service_fixture(text=WEB, name="shared")


def test_shared(shared):
    get(shared)
    shared.wait(ready.log("response:200"))
    assert not "of this"


@pytest.fixture(scope="session")
def own(zlayer_build):
    with zlayer_build(text=WEB).serve(name="own") as service:
        yield [service]


def test_own_earlier(own): ...


def test_own(own):
    assert not "of that"


@pytest.mark.image(text=WEB)
def test_by_hand(zlayer_image):
    with zlayer_image.serve("echo last words; sleep 1000", name="by-hand", ready=ready.log("last")):
        raise ValueError


@pytest.mark.image(text=WEB)
@pytest.mark.zlayer_service("echo dying words; exit 7")
def test_dies(zlayer_service): ...


def test_after(): ...
"""
)
SLEEPING = (
    TESTS
    + """
import pathlib, time


@pytest.mark.image(text=WEB, name="a")
@pytest.mark.image(text=WEB, name="b")
@pytest.mark.image(text=WEB, name="c")
@pytest.mark.zlayer_service(name="a")
@pytest.mark.zlayer_service(name="b")
@pytest.mark.zlayer_service(name="c")
def test_sleeps(zlayer_services):
    pathlib.Path("running").touch()
    time.sleep(600)
"""
)


BY_BUILDAH = SLEEPING.replace('"8080", "-h"', '"{port}", "-h"')


class Runs:
    """Runs of pytest in a folder, on a storage."""

    def __init__(self, folder: Path, storage: ServiceStorage) -> None:
        self.folder = folder
        self._storage = storage

    def begin(self, text: str, *options: str) -> subprocess.Popen[str]:
        (self.folder / "test_it.py").write_text(text)
        (self.folder / "pytest.ini").write_text("[pytest]\n")
        storage = self._storage.storage
        argv = [
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
            f"--basetemp={self.folder / 'base'}",
            f"--zlayer-root={storage.root}",
            f"--zlayer-runroot={storage.runroot}", *options,
        ]  # fmt: skip
        env = {**self._storage.environment, "XDG_CACHE_HOME": str(self.folder / "cache")}
        return subprocess.Popen(
            argv, cwd=self.folder, env=env, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, text: str, *options: str) -> str:
        return self.begin(text, *options).communicate(timeout=300)[0]

    def wait_for(self, name: str) -> None:
        until = time.monotonic() + 120
        while not (self.folder / name).exists():
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.fixture
def runs(tmp_path: Path, service_storage: ServiceStorage) -> Runs:
    folder = tmp_path / "project"
    folder.mkdir()
    return Runs(folder, service_storage)


def assert_nothing_left(storage: ServiceStorage) -> None:
    left = {name: found for name, found in storage.leftovers().items() if found}
    assert left == {}


@pytest.mark.parametrize("workers", ["0", "4"])
def test_fixtures_serve_and_leave_nothing(runs, service_storage, workers):
    said = runs.run(PASSING, "-n", workers)
    assert "8 passed" in said, said
    assert_nothing_left(service_storage)


def test_logs_are_sections_of_the_reports_of_failed_tests(runs, service_storage):
    said = runs.run(FAILING, "--junitxml=junit.xml", "-v")
    assert "2 passed" in said, said
    for heading in ("service shared", "service own", "service by-hand", "service inline"):
        assert said.count(f" {heading} -") == 1, said
    assert "service inline ended before it was ready: exit code 7" in said
    assert "response:200" in said
    junit = (runs.folder / "junit.xml").read_text()
    for text in ("response:200", "last words", "dying words"):
        assert text in junit
    assert_nothing_left(service_storage)


PORTS = (
    TESTS
    + """
@pytest.mark.image(text="FROM localhost/test/busybox:1", name="many")
@pytest.mark.parametrize("number", range(16))
def test_ports(zlayer_image, number, tmp_path_factory, worker_id):
    command = ["httpd", "-f", "-p", "{port}"]
    with zlayer_image.serve(command, ports=[81, 82, 83]) as service:
        assert len(set(service.ports.values())) == len(service.ports)
        service.wait(ready.http(status=404))
"""
)


@pytest.mark.parametrize("engine", ["podman", "buildah"])
def test_eight_workers_never_meet_at_a_port(runs, service_storage, engine):
    text = PORTS if engine == "podman" else PORTS.replace(", ports=[81, 82, 83]", "")
    said = runs.run(text, "-n", "8", f"--zlayer-service-engine={engine}")
    assert "16 passed" in said, said
    assert_nothing_left(service_storage)


@pytest.mark.usefixtures("all_plugins")
def test_logs_are_sections_of_pytest_html(runs):
    pytest.importorskip("pytest_html")
    runs.run(FAILING, "--html=report.html", "--self-contained-html")
    page = (runs.folder / "report.html").read_text()
    for text in ("response:200", "last words", "dying words"):
        assert text in page


def test_services_of_failed_tests_are_kept_on_demand(runs, service_storage):
    said = runs.run(FAILING, "--zlayer-keep=failed")
    names = sorted(name.rpartition("-")[0] for name in service_storage.containers())
    tests = ("test-by-hand-by-hand", "test-dies-inline", "test-own-own", "test-shared-shared")
    assert names == [f"zlayer-kept-{one}" for one in tests], said
    start = "service of test_shared (shared): "
    [line] = [one for one in said.splitlines() if one.startswith(start)]
    command = line.partition(": ")[2].replace("-it", "-i")
    done = subprocess.run(
        ["/bin/sh", "-c", command], input="cat /www/index.html\n", text=True, check=True,
        env=service_storage.environment, capture_output=True,
    )  # fmt: skip
    assert "response:200" in done.stdout + done.stderr
    assert done.stdout.endswith("hello\n")
    assert service_storage.leftovers()["networks"] == []
    service_storage.podman("rm", "--all", "--force", "--time", "0")


ONE_THAT_FAILS = (
    TESTS.replace('"8080", "-h"', '"{port}", "-h"')
    + """
@pytest.mark.image(text=WEB)
def test_fails(zlayer_service):
    get(zlayer_service)
    zlayer_service.run("echo changed > /www/index.html")
    assert not "this"


@pytest.mark.image(text=WEB)
def test_passes(zlayer_service):
    get(zlayer_service)
"""
)


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_a_service_of_buildah_is_kept_on_demand_too(runs, service_storage, isolation):
    options = ["--zlayer-service-engine=buildah", f"--zlayer-isolation={isolation}"]
    said = runs.run(ONE_THAT_FAILS, "--zlayer-keep=failed", *options)
    [line] = [one for one in said.splitlines() if one.startswith("service of test_fails (inline)")]
    command = line.partition(": ")[2]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], input="cat /www/index.html\n", text=True,
        check=False, env={**service_storage.environment, "PATH": path}, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "changed\n"
    assert "response:200" in Path(done.stderr.removeprefix("its log: ").strip()).read_text()
    service_storage.storage.buildah("rm", command.split()[2])
    assert_nothing_left(service_storage)


WAITING = (
    TESTS
    + """
import pathlib


@pytest.mark.image(text=WEB)
@pytest.mark.zlayer_service(ready=lambda service: pathlib.Path("running").touch(), timeout=600)
def test_waits(zlayer_service): ...
"""
)


def test_waiting_for_a_service_can_be_interrupted(runs, service_storage):
    running = runs.begin(WAITING)
    runs.wait_for("running")
    running.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in running.communicate(timeout=60)[0]
    assert_nothing_left(service_storage)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_services_too(runs, service_storage, number):
    running = runs.begin(SLEEPING)
    runs.wait_for("running")
    running.send_signal(number)
    running.communicate(timeout=60)
    assert_nothing_left(service_storage)


def kill_all(running, storage):
    """Kill pytest and its agents: nobody is left to clean up."""
    agents = _children(running.pid)
    send(signal.SIGSTOP, agents)  # none is to see that pytest has gone
    os.killpg(running.pid, signal.SIGKILL)
    send(signal.SIGKILL, agents)
    running.communicate(timeout=60)
    # What watched the commands of the agents ends these now; the session is dead only then.
    wait_until(lambda: all(map(is_dead, journals(storage))), "all of the session have ended")


def journals(storage: ServiceStorage) -> list[str]:
    sessions = storage.storage.root / "zlayer" / "sessions"
    return [str(one) for one in sessions.iterdir()] if sessions.exists() else []


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_killed_pytest_leaves_no_services_of_buildah(runs, service_storage, isolation):
    options = ["--zlayer-service-engine=buildah", f"--zlayer-isolation={isolation}"]
    running = runs.begin(BY_BUILDAH, *options)
    runs.wait_for("running")
    kill_all(running, service_storage)
    said = runs.run("def test_next(zlayer_build):\n    zlayer_build(text='FROM scratch')\n")
    assert "1 passed" in said, said
    assert_nothing_left(service_storage)


def test_killed_pytest_leaves_nothing_after_the_next_session(runs, service_storage):
    running = runs.begin(SLEEPING)
    runs.wait_for("running")
    assert len(service_storage.containers()) == 3
    kill_all(running, service_storage)
    assert len(service_storage.containers()) == 3
    said = runs.run(PASSING, "-k", "test_own")
    assert "4 passed" in said, said
    # What podman runs when a container ends comes late, and finds it gone.
    wait_until(lambda: service_storage.storage.processes() == [], "podman has ended")
    assert_nothing_left(service_storage)


def test_a_killed_pytest_whose_agent_lives_leaves_nothing(runs, service_storage):
    running = runs.begin(SLEEPING)
    runs.wait_for("running")
    running.kill()
    running.communicate(timeout=60)
    wait_until(lambda: journals(service_storage) == [], "the agent has removed all")
    assert_nothing_left(service_storage)


def _children(parent: int) -> list[int]:
    pids = [int(one) for one in os.listdir("/proc") if one.isdigit()]
    return [one for one in pids if parent_of(one) == parent]


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ("@pytest.mark.zlayer_service(prot=80)", "unknown argument 'prot' of the zlayer_service"),
        ("@pytest.mark.zlayer_service(ready='port')", "ready must be a condition, not 'port'"),
        (
            "@pytest.mark.zlayer_service(name='db')",
            "the test does not declare: db",
        ),
    ],
)
def test_mistakes_are_reported_before_anything_runs(runs, marks, message):
    text = f"import pytest\n@pytest.mark.image(text='FROM scratch')\n{marks}\n"
    fixture = "zlayer_services" if "name" in marks else "zlayer_service"
    said = runs.run(f"{text}def test_it({fixture}): ...\ndef test_other(): ...\n")
    assert message in said
    assert "passed" not in said


def test_a_traceback_leads_no_further_than_the_with_statement(runs):
    said = runs.run(
        TESTS + "@pytest.mark.image(text=WEB)\ndef test_it(zlayer_image):\n"
        "    with zlayer_image.serve(ports=80):\n        pass\n"
    )
    assert "E       pytest_zlayer.UsageError: ports must be a list of ports, not 80" in said
    assert "contextlib" not in said
