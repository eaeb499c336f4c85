"""Ports and subnets that nobody else gets."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from pytest_zlayer.services import ports, runtime
from pytest_zlayer.services.errors import ServiceError


@pytest.fixture
def own_ports(monkeypatch):
    """Ports below those that are given: nobody else takes one that has just been released."""
    first = 2_000 + os.getpid() * 10 % 8_000
    monkeypatch.setattr(ports, "_candidates", lambda *_: iter(range(first, first + 10)))


@pytest.fixture
def own_subnets(monkeypatch):
    """Two that only this process asks for, behind the last of all, the first offered twice."""
    first = 128 * 256 + os.getpid() * 2
    monkeypatch.setattr(ports, "_candidates", lambda *_: iter([first, first, first + 1]))
    return [f"10.{128 + number // 256}.{number % 256}" for number in (first, first + 1)]


def test_a_claimed_port_is_refused_to_another_process_until_it_is_released(own_ports):
    taken = ports.claim_free_port()
    program = (
        "from pytest_zlayer.services.ports import Refusal, claim_port\n"
        f"print(claim_port({taken.value}) is Refusal.CLAIMED)"
    )
    argv = (sys.executable, "-c", program)
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "True\n"
    taken.release()
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("kind", "family"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)]
)
def test_a_port_that_somebody_listens_on_is_not_given(kind, family):
    with closing(socket.socket(socket.AF_INET, family)) as other:
        other.bind(("127.0.0.1", 0))
        if kind == "tcp":
            other.listen()
        assert ports.claim_port(other.getsockname()[1], kind) is ports.Refusal.USED


def test_a_port_is_taken_for_several_kinds_or_not_at_all(own_ports):
    taken = ports.claim_free_port("tcp", "udp")
    number = int(taken.value)
    assert ports.claim(str(number), "tcp") is None
    assert ports.claim_port(number, "udp") is ports.Refusal.CLAIMED
    taken.release()
    udp = ports.claim_port(number, "udp")
    assert ports.claim_port(number, "tcp", "udp") is ports.Refusal.CLAIMED
    tcp = ports.claim(str(number), "tcp")
    assert tcp is not None
    tcp.release()
    udp.release()


class TakenSocket:
    """Finds that another process has its name."""

    def bind(self, name):
        raise OSError(errno.EADDRINUSE, name)

    def close(self): ...


def test_a_fixed_port_that_is_given_back_between_two_looks_is_taken(monkeypatch):
    free = ports.claim_free_port()
    free.release()
    make, taken = ports._socket, [TakenSocket()]
    monkeypatch.setattr(ports, "_socket", lambda: taken.pop() if taken else make())
    claimed = runtime._claim_fixed("web", int(free.value), ["tcp"])
    assert claimed.value == free.value
    claimed.release()


def test_a_fixed_port_that_a_program_listens_on_is_refused_without_waiting(monkeypatch):
    monkeypatch.setattr(runtime, "_PATIENCE", float("inf"))  # waiting would never end
    monkeypatch.setattr(runtime.time, "sleep", lambda _: pytest.fail("it waits"))
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        number = other.getsockname()[1]
        with pytest.raises(ServiceError, match=f"service web: port {number} .* is taken"):
            runtime._claim_fixed("web", number, ["tcp"])


def test_ports_lie_below_those_of_connections():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first = int(file.read().split()[0])
    taken = [ports.claim_free_port() for _ in range(50)]
    assert len({one.value for one in taken}) == 50
    assert all(int(one.value) < first for one in taken)
    for one in taken:
        one.release()


def test_a_subnet_is_given_once(own_subnets):
    first, second = ports.claim_subnet(), ports.claim_subnet()
    assert [first.value, second.value] == [f"{start}.0/24" for start in own_subnets]
    first.release()
    second.release()


def test_a_subnet_that_is_routed_is_left_alone(own_subnets, monkeypatch):
    monkeypatch.setattr(ports, "_routes", lambda: set(own_subnets[:1]))
    taken = ports.claim_subnet()
    assert taken.value == f"{own_subnets[1]}.0/24"
    taken.release()


def test_routes_are_read_as_beginnings():
    assert ports._beginning("0007D50A", "00FFFFFF") == "10.213.7"
    assert ports._beginning("0000D50A", "0000FFFF") == "10.213."
    assert ports._beginning("00000000", "00000000") == ""
