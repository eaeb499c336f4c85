"""Services with buildah alone, under each isolation that works here."""

from __future__ import annotations

import shutil
import socket
import urllib.request
from contextlib import closing

import pytest

from pytest_zlayer import ready
from pytest_zlayer.services.errors import ServiceEnded, ServiceError, ServiceRefused
from pytest_zlayer.services.serving import Services
from tests.engine.building import building
from tests.engine.services.conftest import LISTENING, OWN_PORT, session_environment


@pytest.fixture(scope="module", params=["auto", "chroot"])
def isolated(request, shared_storage):
    environment = session_environment(shared_storage)
    options = {"isolation": request.param, "service_engine": "buildah", "environment": environment}
    with building(shared_storage.storage, **options) as builds:
        yield builds


@pytest.fixture(scope="module")
def web(isolated):
    return isolated.build(LISTENING)


def get(service, path="/"):
    with urllib.request.urlopen(service.url(path), timeout=10) as answer:  # noqa: S310 (http)
        return answer.read().decode()


def test_it_listens_where_it_is_reported_and_is_gone_afterwards(web):
    with web.serve() as service, web.serve(name="other") as other:
        assert (get(service), get(other)) == ("hello\n", "hello\n")
        assert list(service.ports) == [8080]
        assert service.port != other.port
        service.wait(ready.log("response:200"))  # which is written after the answer
    assert not service.running
    with pytest.raises(OSError, match="refused"):
        get(service)


def test_files_and_port_stay_over_a_restart(web, tmp_path):
    (tmp_path / "early.html").write_text("early")
    with web.serve(copy_in={str(tmp_path / "early.html"): "/www/early.html"}) as service:
        assert get(service, "/early.html") == "early"
        service.run("echo kept > /www/kept")
        port = service.port
        service.restart(timeout=2)
        service.wait(ready.http("/kept"))
        assert (service.port, get(service, "/kept")) == (port, "kept\n")
        assert service.path("/www/kept").read_text() == "kept\n"


def test_commands_run_beside_it(web):
    with web.serve(env={"TOKEN": "s3cr3t"}) as service:
        assert service.run("echo $TOKEN; id -un", user="app").stdout == "s3cr3t\napp\n"
        assert service.run("exit 3", check=False).exit_code == 3


def test_commands_beside_it_see_its_processes(web):
    with web.serve() as service:
        assert "httpd" in service.run("ps", user="app").stdout
        service.run("sleep 1000 >/dev/null 2>&1 &")
        assert "sleep 1000" in service.run("ps").stdout


def test_variables_take_the_place_of_those_of_the_image(web):
    wanted = {"GREETING": "good night", "OTHER": "x"}
    command = "echo $GREETING; exec httpd -f -p {port}"
    with web.serve(command, env=wanted, ready=ready.log("good night")) as service:
        assert service.run("echo $GREETING $OTHER").stdout == "good night x\n"
        assert service.run("echo $GREETING", env={"GREETING": "hi"}).stdout == "hi\n"


def test_it_is_stopped_and_killed_and_its_end_is_known(web):
    trap = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    with web.serve(trap, ready=ready.log("up"), **OWN_PORT) as service:
        service.stop()
        assert (service.running, service.exit_code) == (False, 5)
        service.start()
        service.wait(ready.log("up"))
        service.kill()
        assert service.wait_ended(60)
        assert service.exit_code == 137
        with pytest.raises(ServiceError, match="no command runs in"):
            service.run("true")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("echo no disk >&2; exit 3", 3, "stderr no disk"),
        (["no-such-program"], 127, "no-such-program"),
    ],
)
def test_one_that_dies_at_once_is_reported_at_once(web, command, code, said):
    with pytest.raises(ServiceEnded) as caught, web.serve(command, timeout=600, **OWN_PORT):
        pass
    assert caught.value.exit_code == code
    assert said in str(caught.value)


def test_one_that_runs_once(web, tmp_path):
    (tmp_path / "in").write_text("seen")
    options = {"mounts": {str(tmp_path): "/in:ro"}, "tmpfs": ["/scratch"], "workdir": "/scratch"}
    command = "cat /in/in; echo; touch x && ls"
    with web.serve(command, ready=ready.exited(), **options, **OWN_PORT) as service:
        assert service.logs() == "seen\nx\n"


def test_a_fixed_port_that_is_taken_gets_advice(web):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        number = taken.getsockname()[1]
        with (
            pytest.raises(ServiceError, match="is taken") as caught,
            web.serve(["httpd", "-f", "-p", str(number)], port=number),
        ):
            pass
    assert "{port}" in str(caught.value.hint)


@pytest.mark.parametrize(
    "option",
    [
        {"memory": "10m"},
        {"privileged": True},
        {"read_only": True},
        {"labels": {"a": "b"}},
        {"hostname": "x"},
        {"shm_size": "1m"},
        {"ulimits": {"nofile": "9"}},
        {"cap_add": ["CHOWN"]},
        {"cap_drop": ["CHOWN"]},
        {"devices": ["/dev/null"]},
    ],
)
def test_what_needs_podman_is_refused(web, option):
    with pytest.raises(ServiceRefused, match="= needs podman"), web.serve(**option):
        pass


def test_there_are_no_networks(web):
    services = web._store.user(Services)
    with pytest.raises(ServiceRefused, match="no private networks"), services.network():
        pass


def test_an_image_with_volumes_is_no_exception(isolated):
    text = "FROM localhost/test/busybox:1\nRUN mkdir /data && echo a > /data/a\nVOLUME /data\n"
    with isolated.build(text).serve("sleep 1000; true") as service:
        assert service.run("cat /data/a").stdout == "a\n"
        assert "sleep 1000" in service.run("ps").stdout


def test_auto_takes_the_strongest_that_works_and_says_why_it_is_no_other(shared_storage):
    environment = session_environment(shared_storage)
    with building(shared_storage.storage, environment=environment) as builds:
        image = builds.build(LISTENING)
        with image.serve() as service:
            assert get(service) == "hello\n"
        advice = builds.session.user(Services).advice
    if service.engine == "podman":
        assert advice is None
    else:
        assert advice.startswith("podman ")
        assert advice.endswith(": services run with buildah on the network of this machine")


@pytest.mark.skipif(shutil.which("podman") is None, reason="needs podman")
def test_podman_serves_on_the_network_of_the_host_where_it_cannot_publish_ports(shared_storage):
    environment = session_environment(shared_storage)
    with building(shared_storage.storage, environment=environment) as builds:
        command = ["httpd", "-f", "-p", "{port}", "-h", "/www"]
        wanted = {"engine": "podman", "network": "host"}
        with builds.build(LISTENING).serve(command, **wanted) as service:
            assert get(service) == "hello\n"
            assert "httpd" in service.run("ps").stdout
