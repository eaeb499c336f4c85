"""What services do alike with podman, and with buildah alone under each isolation."""

from __future__ import annotations

import urllib.request

import pytest

from pytest_zlayer import ready
from pytest_zlayer.errors import UsageError
from pytest_zlayer.services.errors import ServiceEnded, ServiceError
from tests.engine.building import building
from tests.engine.services.conftest import (
    LISTENING,
    OWN_PORT,
    WRITING,
    needs_podman,
    session_environment,
)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("podman", "auto"), marks=needs_podman, id="podman"),
        pytest.param(("buildah", "auto"), id="buildah"),
        pytest.param(("buildah", "chroot"), id="buildah with chroot"),
    ],
)
def web(request, shared_storage):
    engine, isolation = request.param
    environment = session_environment(shared_storage)
    options = {"isolation": isolation, "service_engine": engine, "environment": environment}
    with building(shared_storage.storage, **options) as builds:
        yield builds.build(LISTENING)


def test_what_a_command_beside_it_writes_is_seen_by_all(web):
    with web.serve() as service:
        service.run("echo changed > /www/index.html; echo new > /www/new")
        for name, text in (("index.html", "changed\n"), ("new", "new\n")):
            with urllib.request.urlopen(service.url(f"/{name}")) as answer:  # noqa: S310 (http)
                assert answer.read().decode() == text
            assert service.path(f"/www/{name}").read_text() == text


def test_output_is_what_was_written_to_the_letter(web):
    with web.serve() as service:
        for command, stdout, stderr in WRITING:
            found = service.run(command, check=False)
            assert (found.stdout, found.stderr) == (stdout, stderr)


def test_both_streams_are_in_order_and_have_times(web, tmp_path):
    # Each is a pipe of its own: what stands in both at the same time may be read in any order.
    told = "until test -e /told/{}; do sleep 0.1; done; echo {}"
    command = f"echo 1; {told.format(2, 2)} >&2; {told.format(3, 3)}"
    options = {**OWN_PORT, "mounts": {str(tmp_path): "/told:ro"}}
    with web.serve(command, ready=ready.log("1"), **options) as service:
        (tmp_path / "2").touch()
        service.wait(ready.log("2"))
        (tmp_path / "3").touch()
        service.wait(ready.exited())
        assert service.logs() == "1\n2\n3\n"
        assert service.logs(stream="stderr") == "2\n"
        assert service.logs(tail=1) == "3\n"
        times = [one.time for one in service.log_lines()]
        assert times == sorted(times)


def test_a_long_line_of_the_log_is_one_and_one_without_an_end_ends_with_the_run(web):
    command = "head -c 50000 /dev/zero | tr '\\0' x"
    with web.serve(command, ready=ready.exited(), **OWN_PORT) as service:
        service.start()
        service.wait(ready.exited())
        assert service.logs() == f"{'x' * 50_000}\n" * 2


def test_one_that_is_stopped_says_so(web):
    with web.serve() as service:
        service.kill()
        assert service.wait_ended(60)
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
