"""Services through a real podman."""

from __future__ import annotations

import os
import time
import urllib.request

import pytest

from pytest_zlayer import ready
from pytest_zlayer.errors import UsageError
from pytest_zlayer.services.errors import ServiceEnded, ServiceError, ServiceNotReady
from pytest_zlayer.services.serving import Services
from tests.engine.building import building
from tests.engine.services.conftest import TOLD, WEB, needs_podman, session_environment

pytestmark = needs_podman
BUSYBOX = "FROM localhost/test/busybox:1\n"


@pytest.fixture(scope="module")
def web(builds):
    return builds.build(WEB)


@pytest.fixture(scope="module")
def busybox(builds):
    return builds.build(BUSYBOX)


def get(service, path="/"):
    with urllib.request.urlopen(service.url(path), timeout=10) as answer:  # noqa: S310 (http)
        return answer.read().decode()


def test_a_web_server_answers_and_is_gone_afterwards(web, shared_storage):
    with web.serve(engine="podman") as service:
        assert get(service) == "hello\n"
        assert service.ports == {8080: service.port}
        assert service.address(8080) == ("127.0.0.1", service.port)
        assert service.running
        assert service.exit_code is None
        assert service.container in shared_storage.containers()
        service.wait(ready.log("response:200"))  # a moment after the answer
    assert not service.running
    assert service.container not in shared_storage.containers()
    with pytest.raises(OSError, match="refused"):
        get(service)
    assert "response:200" in service.logs()


@pytest.mark.parametrize("driver", [None, "overlay"])
def test_podman_may_have_used_the_storage_before_and_afterwards(service_storage, driver):
    service_storage.podman("info", driver=driver)
    environment = session_environment(service_storage)
    with building(service_storage.storage, environment=environment) as made:
        with made.build(WEB).serve(engine="podman") as service:
            assert get(service) == "hello\n"
        assert service_storage.podman("ps", "--quiet", driver=driver) == ""


def test_commands_run_beside_the_service(web):
    with web.serve() as service:
        assert "httpd" in service.run("ps").stdout
        assert service.run(["cat"], input="in").stdout == "in"
        done = service.run("echo no >&2; exit 3", check=False, env={"A": "b c"}, user="app")
        assert (done.exit_code, done.stdout, done.stderr) == (3, "", "no\n")
        assert service.run(
            "echo $A; id -un; pwd", env={"A": "b c"}, user="app", workdir="/tmp"
        ).stdout == ("b c\napp\n/tmp\n")


def test_values_of_variables_stand_on_no_command_line(web, shared_storage):
    with web.serve(env={"TOKEN": "s3cr3t", "PATH": "/bin:/elsewhere"}) as service:
        assert service.run("echo $TOKEN $PATH").stdout == "s3cr3t /bin:/elsewhere\n"
        found = shared_storage.podman(
            "inspect", "-f", "{{.Config.CreateCommand}}", service.container
        )
        assert "s3cr3t" not in found


def test_files_go_in_and_out(web, tmp_path):
    (tmp_path / "page.html").write_text("page")
    with web.serve(copy_in={str(tmp_path / "page.html"): "/www/early.html"}) as service:
        assert get(service, "/early.html") == "page"
        service.copy_in(tmp_path / "page.html", "/www/late.html")
        assert get(service, "/late.html") == "page"
        service.run("echo made > /www/made")
        assert service.path("/www/made").read_text() == "made\n"
        assert service.copy_out("/www", tmp_path / "out") == tmp_path / "out"
        assert (tmp_path / "out" / "made").read_text() == "made\n"


def test_files_and_port_stay_over_a_restart(web):
    with web.serve() as service:
        before, port = service.pid, service.port
        service.run("echo kept > /www/kept")
        service.restart(timeout=1)
        service.wait(ready.http("/kept"))
        assert service.pid != before
        assert (service.port, get(service, "/kept")) == (port, "kept\n")


def test_it_is_stopped_killed_and_started_again(busybox):
    trap = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    with busybox.serve(trap, ready=ready.log("up")) as service:
        service.stop()
        assert (service.running, service.exit_code) == (False, 5)
        assert service.logs() == "up\nbye\n"
        service.start()
        service.wait(ready.log("up"))
        service.kill("SIGKILL")
        assert service.wait_ended(60)
        assert service.exit_code == 137
        with pytest.raises(ServiceError, match="no command runs in"):
            service.run("true")


def test_one_that_dies_at_once_is_reported_at_once(busybox):
    with (
        pytest.raises(ServiceEnded) as caught,
        busybox.serve("echo no disk >&2; exit 3", port=80, name="db", timeout=600),
    ):
        pass
    assert str(caught.value).startswith(
        "service db ended before it was ready: exit code 3\n  waited for: its port\n"
    )
    assert str(caught.value).endswith("stderr no disk")


def test_one_that_listens_on_its_own_loopback_only_gets_advice(busybox):
    command = ["httpd", "-f", "-p", "127.0.0.1:80"]
    listens = ready.command("netstat -ltn | grep '127.0.0.1:80 '")
    advice = r"listens on 127\.0\.0\.1 only; let it listen on 0\.0\.0\.0"
    with (
        busybox.serve(command, port=80, ready=listens) as service,
        pytest.raises(ServiceNotReady, match=advice),
    ):
        service.wait(ready.port(), timeout=2)


def test_a_healthcheck_is_waited_for(builds):
    text = WEB + "HEALTHCHECK --start-period=1m CMD test -e /tmp/well\n"
    image = builds.build(text)
    command = "sleep 0.5; touch /tmp/well; exec httpd -f -p 8080 -h /www"
    with image.serve(command) as service:
        assert service.path("/tmp/well").exists()


def test_one_that_never_gets_healthy_says_why(builds):
    image = builds.build(WEB + "HEALTHCHECK --interval=10ms --retries=2 CMD echo no disk; exit 1\n")
    with pytest.raises(ServiceNotReady) as caught, image.serve(timeout=600):
        pass
    assert "HEALTHCHECK failed 2 times: HEALTHCHECK ended with exit code 1: no disk" in str(
        caught.value
    )


def test_it_listens_on_the_port_that_it_is_given(builds):
    with builds.build(TOLD).serve(port=1234, ready=ready.http(status=404)) as service:
        assert list(service.ports) == [1234]
        assert "-p 1234" in service.run("ps").stdout


def test_a_udp_port_is_published(busybox):
    command = ["nc", "-u", "-l", "-p", "53"]
    with busybox.serve(command, port="53/udp") as service:
        assert service.ports.keys() == {53}


def test_mounts_tmpfs_limits_and_identity(busybox, tmp_path):
    (tmp_path / "shown").mkdir(mode=0o755)
    (tmp_path / "shown" / "file").write_text("seen")
    options = {
        "mounts": {str(tmp_path / "shown"): "/host:ro"}, "tmpfs": {"/scratch": "1m"},
        "read_only": True,
        "user": "app", "workdir": "/home", "hostname": "box", "shm_size": "2m",
        "ulimits": {"nofile": "100:200", "nproc": "1024:1024"}, "memory": "64m",
        "labels": {"a": "b"}, "cap_drop": ["CHOWN"], "env": {"A": "1"},
    }  # fmt: skip
    # The soft limit would be right only by chance: Go programs raise it, and runc is one.
    script = (
        "cat /host/file; echo; touch /host/x 2>&1; touch /x 2>&1; touch /scratch/x && echo made; "
        "id -un; pwd; hostname; ulimit -Hn; echo $A; df -k /dev/shm /scratch | awk '{print $2}'"
    )
    with busybox.serve("sleep 1000", **options) as service:
        said = service.run(script).stdout
    assert said.splitlines() == [
        "seen", "touch: /host/x: Read-only file system", "touch: /x: Read-only file system", "made",
        "app", "/home", "box", "200", "1", "1K-blocks", "2048", "1024",
    ]  # fmt: skip


def test_capabilities_and_privileges(busybox):
    bits = "grep CapEff /proc/self/status | cut -f2"
    found = {}
    for name, options in {
        "usual": {}, "more": {"cap_add": ["NET_ADMIN"]}, "all": {"privileged": True},
        "less": {"cap_drop": ["ALL"]},
    }.items():  # fmt: skip
        with busybox.serve("sleep 1000", **options) as service:
            found[name] = int(service.run(bits).stdout, 16)
    net_admin = 1 << 12
    assert found["less"] == 0
    assert not found["usual"] & net_admin
    assert found["more"] == found["usual"] | net_admin
    assert found["all"] & (1 << 21)


def test_devices_are_there(busybox):
    with busybox.serve("sleep 1000", devices=["/dev/loop-control:/dev/extra:r"]) as service:
        assert service.run("ls -l /dev/extra").stdout.startswith("c")


def test_anonymous_volumes_go_with_the_container(builds, shared_storage):
    image = builds.build(BUSYBOX + "RUN mkdir /data && echo a > /data/a\nVOLUME /data\n")
    with image.serve("sleep 1000") as service:
        assert service.path("/data/a").read_text() == "a\n"
        assert shared_storage.leftovers()["volumes"] != []
    assert shared_storage.leftovers()["volumes"] == []


def test_services_find_each_other_by_name_in_any_order_of_start(web, busybox, builds):
    services = builds.session.user(Services)
    with (
        services.network("podman") as network,
        busybox.serve("sleep 1000", network=network, name="client") as client,
        web.serve(network=network, name="server") as server,
    ):
        assert client.run("wget -qO- http://server:8080/").stdout == "hello\n"
        assert server.run("grep -w client /etc/hosts").stdout.split()[1] == "client"
        client.restart(timeout=0)
        assert client.run("wget -qO- http://server:8080/").stdout == "hello\n"
        with pytest.raises(ServiceError, match="two services on one network are called 'server'"):
            web.serve(network=network, name="server").__enter__()


def test_who_gets_an_address_next_is_found_where_the_last_one_was(busybox):
    look = "ip -4 -o addr show dev eth0 | awk '{print $4}'; cat /sys/class/net/eth0/address"
    found = []
    for _ in range(2):
        with busybox.serve("sleep 1000") as service:
            found.append(service.run(look).stdout)
            service.restart(timeout=0)
            found.append(service.run(look).stdout)
    assert found[0].count("\n") == 2
    assert found == [found[0]] * 4


def test_networks_are_apart(web, busybox, builds):
    services = builds.session.user(Services)
    with services.network("podman") as one, services.network("podman") as other:
        with (
            web.serve(network=one, name="server"),
            busybox.serve("sleep 1000", network=other, name="client") as client,
        ):
            assert client.run("wget -qO- -T 2 http://server:8080/", check=False).exit_code != 0
        assert one.subnet != other.subnet


def test_no_network_and_the_network_of_the_host(busybox):
    with busybox.serve("sleep 1000", network="none") as service:
        assert service.run("ls /sys/class/net").stdout == "lo\n"
    with busybox.serve("sleep 1000", network="host") as service:
        assert service.run("readlink /proc/self/ns/net").stdout.strip() == os.readlink(
            "/proc/self/ns/net"
        )


def test_on_the_network_of_the_host_it_listens_where_it_is_told(builds):
    image = builds.build(TOLD)
    wanted = {"network": "host", "port": 1234, "ready": ready.http(status=404)}
    with image.serve(**wanted) as one, image.serve(**wanted) as other:
        assert one.port != other.port
        assert f"-p {one.port}" in one.run("ps").stdout


def test_two_of_the_same_run_side_by_side(web):
    with web.serve() as one, web.serve() as other:
        assert one.port != other.port
        assert get(one) == get(other) == "hello\n"


def test_what_has_no_port_says_so(busybox):
    with busybox.serve("sleep 1000") as service:
        with pytest.raises(UsageError, match="has no port"):
            _ = service.port
        with pytest.raises(UsageError, match="has no port 80"):
            service.url(port=80)


def test_a_command_that_takes_too_long_is_ended(web):
    from pytest_zlayer.buildah.errors import EngineTimeout

    with web.serve() as service:
        with pytest.raises(EngineTimeout, match="was stopped after"):
            service.run("sleep 1234", timeout=1)
        until = time.monotonic() + 60
        while "sleep 1234" in service.run("ps").stdout.replace("sh -c sleep", ""):
            assert time.monotonic() < until
            time.sleep(0.1)


def test_a_command_that_cannot_be_started_says_so(busybox):
    with (
        pytest.raises(ServiceError, match=r"service db could not be started: .*no-such-program"),
        busybox.serve(["no-such-program"], name="db"),
    ):
        pass


def test_what_a_command_leaves_running_stays(web):
    with web.serve() as service:
        service.run("httpd -p 9090 -h /www")
        assert service.run("wget -qO- http://127.0.0.1:9090/").stdout == "hello\n"


def test_testinfra_looks_inside(web):
    with web.serve() as service:
        host = service.testinfra()
        assert host.file("/www/index.html").content_string == "hello\n"
        assert host.check_output("echo %s", "a b") == "a b"
        assert host.run("exit 3").rc == 3
