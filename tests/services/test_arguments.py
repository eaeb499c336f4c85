"""The arguments of ``Image.serve``."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest

from pytest_zlayer.builder.image.built_image import Image
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.errors import UsageError
from pytest_zlayer.plugin.service_marks import ARGUMENTS
from pytest_zlayer.services.arguments import check_values, make_request
from pytest_zlayer.services.request import Port


def image(**config):
    return SimpleNamespace(
        label="services/my API", config=ImageConfig(**{"cmd": ("web",), **config})
    )


def test_the_marker_takes_what_serve_takes():
    assert set(ARGUMENTS) == set(inspect.signature(Image.serve).parameters) - {"self"}


def test_the_command_of_the_image_runs_and_its_ports_are_published():
    request = make_request(image(entrypoint=("run",), exposed_ports=("80/tcp", "53/udp")), None, {})
    assert request.argv == ("run", "web")
    assert request.ports == (Port(80), Port(53, "udp"))
    assert request.name == "my-api"


def test_a_named_port_is_the_only_one_but_for_more():
    request = make_request(
        image(exposed_ports=("80/tcp",)), None, {"port": 8080, "ports": ["9/udp"]}
    )
    assert request.ports == (Port(8080), Port(9, "udp"))


def test_a_port_named_twice_is_one():
    request = make_request(image(), None, {"port": 80, "ports": [80, "80/tcp", 81]})
    assert request.ports == (Port(80), Port(81))


def test_ports_of_one_number_belong_together_and_without_a_network_there_are_none():
    given = {"ports": ["53/udp", "80", "53/tcp"]}
    published = make_request(image(), None, given).published
    assert published == {53: (Port(53, "udp"), Port(53)), 80: (Port(80),)}
    assert make_request(image(exposed_ports=("80/tcp",)), None, {"network": "none"}).published == {}


def test_a_port_of_a_kind_that_is_not_published_is_left_out():
    assert make_request(image(exposed_ports=("1/sctp", "2/tcp")), None, {}).ports == (Port(2),)


@pytest.mark.parametrize(
    ("cmd", "message"),
    [
        (5, "a command must be a text or a list of words, not 5"),
        (b"ls", "a command must be a text or a list of words, not b'ls'"),
        ([], "there is no command to run"),
        (["ls", None], "a word of a command must be a text, not None"),
        (["a\0"], "a command cannot contain a NUL character"),
        ("a\0", "a command cannot contain a NUL character"),
    ],
)
def test_what_is_no_command_is_refused(cmd, message):
    with pytest.raises(UsageError) as caught:
        make_request(image(), cmd, {})
    assert caught.value.message == message


def test_a_string_goes_to_the_shell_of_the_image():
    config = {"shell": ("/bin/ash", "-c")}
    assert make_request(image(**config), "a b", {}).argv == ("/bin/ash", "-c", "a b")


def test_a_service_whose_command_names_a_port_has_one():
    assert make_request(image(), ["web", "{port}"], {}).port == Port(8080)
    assert make_request(image(), None, {"env": {"PORT": "{port}"}}).port == Port(8080)
    assert make_request(image(), None, {}).port is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"port": "http"}, "'http' is no port"),
        ({"port": 0}, "0 is no port"),
        ({"port": "²"}, "'²' is no port"),
        ({"port": True}, "True is no port"),
        ({"port": "80/sctp"}, "port 80/sctp: expected tcp or udp, not 'sctp'"),
        ({"ports": 80}, "ports must be a list of ports, not 80"),
        ({"name": "Not This"}, "name of a service cannot be 'Not This'"),
        ({"mounts": {"/nowhere/at/all": "/x"}}, "mounts: /nowhere/at/all is not there"),
        ({"mounts": {"/etc": "/x:rx"}}, "mounts: '/x:rx' ends with neither :ro nor :rw"),
        ({"tmpfs": "/x"}, "tmpfs must be a list of paths, or a mapping of paths to sizes"),
        ({"tmpfs": {"/x": "much"}}, "tmpfs: invalid size: 'much'"),
        ({"copy_in": {"/nowhere/at/all": "/x"}}, "copy_in: /nowhere/at/all is not there"),
        ({"network": "bridge"}, "network cannot be 'bridge'"),
        ({"workdir": "x"}, "workdir: 'x' is not an absolute path in the container"),
        ({"memory": "lots"}, "memory: invalid size: 'lots'"),
        ({"ulimits": {"nofile": "many"}}, "ulimits: nofile=many"),
        ({"cap_add": "SYS_ADMIN"}, "cap_add must be a list of texts, not 'SYS_ADMIN'"),
        ({"read_only": 1}, "read_only must be True or False, not 1"),
        ({"env": {"A=B": "c"}}, "env: 'A=B' cannot be a name"),
        ({"env": {"A": None}}, "env: 'A' has no value"),
        ({"ports": 8.5}, "ports must be a list of ports, not 8.5"),
        ({"mounts": {5: "/x"}}, "mounts: 5 is not a path of this machine"),
        ({"copy_in": {5: "/x"}}, "copy_in: 5 is not a path of this machine"),
        ({"tmpfs": 5}, "tmpfs must be a list of paths, or a mapping of paths to sizes"),
        ({"workdir": 5}, "workdir: '5' is not an absolute path in the container"),
        ({"user": ""}, "user must be a user, not ''"),
        ({"port": 80, "network": "none"}, 'port 80/tcp cannot be reached with network="none"'),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(UsageError) as caught:
        make_request(image(), None, given)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ready": "port"}, "ready must be a condition, not 'port'"),
        ({"timeout": "60"}, "timeout must be a number of seconds, not '60'"),
        ({"timeout": -1}, "timeout must be a number of seconds, not -1"),
        ({"timeout": float("nan")}, "timeout must be a number of seconds, not nan"),
        ({"cmd": 5}, "a command must be a text or a list of words, not 5"),
        ({"engine": "docker"}, "there is no service engine 'docker'"),
        ({"port": "http"}, "'http' is no port"),
        ({"ports": 80}, "ports must be a list of ports, not 80"),
        ({"memory": "lots"}, "memory: invalid size: 'lots'"),
    ],
)
def test_values_are_checked_before_there_is_an_image(given, message):
    with pytest.raises(UsageError) as caught:
        check_values(given)
    assert caught.value.message == message


def test_files_that_a_test_makes_are_not_looked_for_before():
    check_values({"mounts": {"/nowhere": "/x"}, "copy_in": {"/nowhere": "/x"}, "env": None})


def test_an_image_without_a_command_needs_one():
    with pytest.raises(UsageError, match="has neither ENTRYPOINT nor CMD"):
        make_request(image(cmd=None), None, {})
