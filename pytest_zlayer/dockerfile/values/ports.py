"""The port specifications of EXPOSE."""

from __future__ import annotations

import ipaddress

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.scalars import parse_integer

_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})


@dataclass(frozen=True, slots=True)
class PortSpec:
    """One word of EXPOSE, checked.

    Attributes:
        keys: what the image configuration stores, one ``port/protocol`` each (ranges exploded).
        protocol: the protocol as written, ``tcp`` if none was (a build check looks at its case).
        ip: the IP part, which EXPOSE discards; ``""`` when there is none.
        host: the host port part, which EXPOSE discards; ``""`` when there is none.
    """

    keys: tuple[str, ...]
    protocol: str
    ip: str
    host: str


def parse_port_spec(text: str) -> PortSpec:
    """Read ``[ip:[host]:]port[-port][/protocol]``.

    Raises:
        ValueError: BuildKit's text, e.g. ``invalid containerPort: x``.
    """
    ip, host, rest = _split(text)
    port, _, protocol = rest.partition("/")
    _check_port_and_protocol(port, protocol, text)
    if ip:
        _check_ip(ip)
    first, last = _range(port, f"invalid containerPort: {port}")
    if host:
        _check_host(host, port, last - first)
    kind = protocol.lower() or "tcp"
    keys = tuple(f"{number}/{kind}" for number in range(first, last + 1))
    return PortSpec(keys, protocol or "tcp", ip, host)


def _split(text: str) -> tuple[str, str, str]:
    head, _, port = text.rpartition(":")
    ip, _, host = head.rpartition(":")
    return ip, host, port


def _check_port_and_protocol(port: str, protocol: str, text: str) -> None:
    if not port:
        raise ValueError(f"invalid port: {go_quote(text)}: no port specified")
    if protocol and protocol.lower() not in _PROTOCOLS:
        raise ValueError(f"invalid port: {go_quote(text)}: invalid proto: {protocol}")


def _check_ip(ip: str) -> None:
    if ip.startswith("["):
        ip = _unbracketed(ip)
    if ip and not _is_ip(ip):
        raise ValueError(f"invalid IP address: {ip}")


def _unbracketed(ip: str) -> str:
    address = ip + ":"
    closing = ip.find("]")
    if closing < 0:
        problem = "missing ']' in address"
    elif closing != len(ip) - 1:
        after = ip[closing + 1]
        problem = "too many colons in address" if after == ":" else "missing port in address"
    elif "[" in ip[1:]:
        problem = "unexpected '[' in address"
    else:
        return ip[1:-1]
    raise ValueError(f"invalid IP address {ip}: address {address}: {problem}")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # Go takes no zone here


def _check_host(host: str, port: str, length: int) -> None:
    first, last = _range(host, f"invalid hostPort: {host}")
    # A range of host ports may stand for a single container port, not the other way round.
    if length and length != last - first:
        raise ValueError(
            f"invalid ranges specified for container and host Ports: {port} and {host}"
        )


def _range(text: str, complaint: str) -> tuple[int, int]:
    start, dash, end = text.partition("-")
    try:
        first = _number(start)
        last = _number(end) if dash and start != end else first
    except ValueError:
        raise ValueError(complaint) from None
    if last < first:
        raise ValueError(complaint)
    return first, last


def _number(text: str) -> int:
    number = parse_integer(text)
    if not 0 <= number <= 65535:
        raise ValueError(f"not a port: {text}")
    return number
