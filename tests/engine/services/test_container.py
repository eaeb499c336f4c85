"""What one command leaves running in a container is there for the next one."""

from __future__ import annotations

import time

import pytest

from pytest_zlayer.buildah.errors import EngineTimeout
from tests.engine.services.conftest import WEB


@pytest.fixture
def container(builds):
    with builds.build(WEB).container() as made:
        if "directly" not in builds.session.engine.describe():
            pytest.skip("needs an OCI runtime")
        yield made


def wait_for(container, text):
    until = time.monotonic() + 60
    while text not in container.logs():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_started_server_answers_a_second_command(container):
    container.run("httpd -p 127.0.0.1:18181 -h /www")
    assert container.run("wget -qO- http://127.0.0.1:18181/").stdout == "hello\n"
    assert "httpd" in container.run("ps", user="app").stdout


def test_what_it_writes_later_is_in_the_logs(container):
    done = container.run("(sleep 0.2; echo later; echo worse >&2) & echo now")
    assert done.stdout == "now\n"
    wait_for(container, "worse")
    assert container.logs(stream="stdout") == "now\nlater\n"
    assert container.logs(stream="stderr") == "worse\n"
    assert container.logs(tail=0) == ""


def test_its_end_can_be_waited_for_by_another_command(container):
    pid = container.run("sleep 1000 >/dev/null 2>&1 & echo $!").stdout.strip()
    assert container.run(["kill", "-0", pid], check=False).exit_code == 0
    container.run(["kill", "-9", pid])
    until = time.monotonic() + 30
    while container.run(["kill", "-0", pid], check=False).exit_code == 0:
        assert time.monotonic() < until


def test_a_command_that_takes_too_long_ends_alone(container):
    container.run("sleep 1000 >/dev/null 2>&1 &")
    with pytest.raises(EngineTimeout):
        container.run(["sleep", "2000"], timeout=0.5)
    running = container.run("ps").stdout
    assert "sleep 1000" in running
    assert "sleep 2000" not in running


def test_nothing_of_it_stays_in_the_files(container):
    container.run("true")
    assert not container.path("/dev/zlayer-wait").exists()


def test_networks_are_as_asked_for(container):
    container.run("httpd -p 127.0.0.1:18182 -h /www", network="none")
    ask = "wget -qO- http://127.0.0.1:18182/"
    assert container.run(ask, network="none").stdout == "hello\n"
    assert container.run(ask, check=False).exit_code != 0


def test_testinfra_looks_inside(container):
    host = container.testinfra()
    assert host.file("/www/index.html").content_string == "hello\n"
    assert host.file("/www/index.html").user == "root"
