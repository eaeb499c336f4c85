"""Port specifications of EXPOSE."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.ports import PortSpec, parse_port_spec


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("80", ("80/tcp",)),
        ("80/", ("80/tcp",)),
        ("80/UDP", ("80/udp",)),
        ("53/sctp", ("53/sctp",)),
        ("80-82", ("80/tcp", "81/tcp", "82/tcp")),
        ("80-80/udp", ("80/udp",)),
        ("0080", ("80/tcp",)),
        ("0", ("0/tcp",)),
        ("65535", ("65535/tcp",)),
        ("8080:80", ("80/tcp",)),
        ("127.0.0.1::80", ("80/tcp",)),
        ("127.0.0.1:8080:80", ("80/tcp",)),
        ("[::1]:8080:80", ("80/tcp",)),
        ("::1:8080:80", ("80/tcp",)),
        ("8000-9000:80", ("80/tcp",)),
        ("8080-8081:80-81", ("80/tcp", "81/tcp")),
        (":80", ("80/tcp",)),
    ],
)
def test_a_word_becomes_one_key_per_port(text: str, keys: tuple[str, ...]) -> None:
    assert parse_port_spec(text).keys == keys


def test_what_is_discarded_is_reported_for_build_checks() -> None:
    assert parse_port_spec("127.0.0.1:81:80/TCP") == PortSpec(
        keys=("80/tcp",), protocol="TCP", ip="127.0.0.1", host="81"
    )
    assert parse_port_spec("80") == PortSpec(keys=("80/tcp",), protocol="tcp", ip="", host="")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "invalid containerPort: x"),
        ("65536", "invalid containerPort: 65536"),
        ("82-80", "invalid containerPort: 82-80"),
        ("80-", "invalid containerPort: 80-"),
        ("-80", "invalid containerPort: -80"),
        ("1-2-3", "invalid containerPort: 1-2-3"),
        ("", 'invalid port: "": no port specified'),
        ("/tcp", 'invalid port: "/tcp": no port specified'),
        ("80/foo", 'invalid port: "80/foo": invalid proto: foo'),
        ("80/tcp/udp", 'invalid port: "80/tcp/udp": invalid proto: tcp/udp'),
        ("x:80", "invalid hostPort: x"),
        ("1.2.3:1:80", "invalid IP address: 1.2.3"),
        ("1.2.3.4.5:1:80", "invalid IP address: 1.2.3.4.5"),
        ("[::x]:1:80", "invalid IP address: ::x"),
        ("[fe80::1%eth0]:1:80", "invalid IP address: fe80::1%eth0"),
        ("[::1:8080:80", "invalid IP address [::1: address [::1:: missing ']' in address"),
        ("[::1]x:1:80", "invalid IP address [::1]x: address [::1]x:: missing port in address"),
        ("[::1]::1:80", "invalid IP address [::1]:: address [::1]::: too many colons in address"),
        ("[[::1]:1:80", "invalid IP address [[::1]: address [[::1]:: unexpected '[' in address"),
        ("80:80-81", "invalid ranges specified for container and host Ports: 80-81 and 80"),
        ("65536:80", "invalid hostPort: 65536"),
        ("81-80:80", "invalid hostPort: 81-80"),
        (
            "80-81:90-99",
            "invalid ranges specified for container and host Ports: 90-99 and 80-81",
        ),
    ],
)
def test_errors_are_those_of_buildkit(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^invalid ") as raised:
        parse_port_spec(text)
    assert str(raised.value) == message
