"""Services with buildah alone, under each isolation that works here."""

from __future__ import annotations

import shutil
import socket
import urllib.request
from contextlib import closing

import pytest

from pytest_zlayer import ready
from pytest_zlayer.errors import UsageError
from pytest_zlayer.services.errors import ServiceEnded, ServiceError, ServiceRefused
from pytest_zlayer.services.serving import Services
from tests.engine.building import building
from tests.engine.services.conftest import WRITING, session_environment

WEB = """\
FROM localhost/test/busybox:1
RUN mkdir /www && echo hello > /www/index.html
EXPOSE 8080
ENV GREETING=hello
CMD ["httpd", "-f", "-v", "-p", "{port}", "-h", "/www"]
"""


@pytest.fixture(scope="module", params=["auto", "chroot"])
def isolated(request, shared_storage):
    environment = session_environment(shared_storage)
    options = {"isolation": request.param, "service_engine": "buildah", "environment": environment}
    with building(shared_storage.storage, **options) as builds:
        yield builds


@pytest.fixture(scope="module")
def web(isolated):
    return isolated.build(WEB)


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


def test_output_is_what_was_written_to_the_letter(web):
    with web.serve() as service:
        for command, stdout, stderr in WRITING:
            found = service.run(command, check=False)
            assert (found.stdout, found.stderr) == (stdout, stderr)


def test_both_streams_are_in_order_and_have_times(web):
    command = "echo 1; sleep 0.1; echo 2 >&2; sleep 0.1; echo 3"
    with web.serve(command, ready=ready.exited()) as service:
        assert service.logs() == "1\n2\n3\n"
        assert service.logs(stream="stderr") == "2\n"
        assert service.logs(tail=1) == "3\n"
        times = [one.time for one in service.log_lines()]
        assert times == sorted(times)


def test_a_long_line_of_the_log_is_one_and_one_without_an_end_ends_with_the_run(web):
    command = "head -c 50000 /dev/zero | tr '\\0' x"
    with web.serve(command, ready=ready.exited()) as service:
        service.start()
        service.wait(ready.exited())
        assert service.logs() == f"{'x' * 50_000}\n" * 2


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
    with web.serve(trap, ready=ready.log("up")) as service:
        service.stop()
        assert (service.running, service.exit_code) == (False, 5)
        service.start()
        service.wait(ready.log("up"))
        service.kill()
        assert service.wait_ended(10)
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
    with pytest.raises(ServiceEnded) as caught, web.serve(command, timeout=600):
        pass
    assert caught.value.exit_code == code
    assert said in str(caught.value)


def test_one_that_runs_once(web, tmp_path):
    (tmp_path / "in").write_text("seen")
    options = {"mounts": {str(tmp_path): "/in:ro"}, "tmpfs": ["/scratch"], "workdir": "/scratch"}
    command = "cat /in/in; echo; touch x && ls"
    with web.serve(command, ready=ready.exited(), **options) as service:
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
        image = builds.build(WEB)
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
        with builds.build(WEB).serve(command, **wanted) as service:
            assert get(service) == "hello\n"
            assert "httpd" in service.run("ps").stdout


def test_one_that_is_stopped_says_so(web):
    with web.serve() as service:
        service.kill()
        assert service.wait_ended(10)
        over = r"it ended with exit code 137 \(killed by SIGKILL\)"
        with pytest.raises(ServiceError, match=f"^no command runs in inline: {over}$"):
            service.run("true")
        with pytest.raises(ServiceError, match=f"^inline gets no signal: {over}$"):
            service.kill()
        with pytest.raises(ServiceEnded, match="killed by SIGKILL"):
            service.wait(ready.command("true"))
        assert service.path("/www/index.html").read_text() == "hello\n"


def test_one_that_is_gone_says_so(web, tmp_path):
    with web.serve() as service:
        with pytest.raises(UsageError, match="there is no signal 'FOO'"):
            service.kill("FOO")
        with pytest.raises(UsageError, match="/nowhere/at/all is not there"):
            service.copy_in("/nowhere/at/all", "/x")
    service.stop()
    for use in (
        lambda: service.run("true"), lambda: service.path("/"), service.kill, service.start,
        lambda: service.copy_in(tmp_path, "/x"), lambda: service.copy_out("/www", tmp_path / "out"),
        service.restart, lambda: service.wait(ready.port()),
    ):  # fmt: skip
        with pytest.raises(ServiceError, match="service inline has been removed"):
            use()


def test_an_image_with_ports_can_do_without_a_network(web):
    with web.serve(network="none") as service:
        assert service.ports == {}
        with pytest.raises(UsageError, match='has no port\nhint: its network is "none"'):
            _ = service.port
        assert service.run("tail -n +3 /proc/net/dev").stdout.split(":")[0].strip() == "lo"
        assert service.run("tail -n +3 /proc/net/dev").stdout.count(":") == 1


def test_a_tcp_and_a_udp_port_of_one_number_stay_together(web):
    command = "nc -lu -p {port} & exec nc -l -p {port}"
    with web.serve(command, ports=["53/tcp", "53/udp"], port="53/tcp") as service:
        assert set(service._container.ports.values()) == {service.port}
        assert list(service.ports) == [53]
