"""Ports and subnets of this machine that no two services get at the same time.

Who has one holds a socket with a name of its own in the abstract namespace, which all processes of
a network namespace share, whatever their user and storage. The kernel takes it back when its owner
ends, however that happens.
"""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.services.errors import ServiceError

LOOPBACK = "127.0.0.1"
_LOWEST = 10_000
_TRIES = 2_000
_USED = (errno.EADDRINUSE, errno.EACCES)


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that this process has taken, until it releases it."""

    value: str
    _holders: tuple[socket.socket, ...]

    def release(self) -> None:
        """Give it back."""
        for holder in self._holders:
            holder.close()


def claim(value: str, *kinds: str) -> Claim | None:
    """Take this one of each kind; ``None`` when another process has one of them."""
    taken = Claim(value, tuple(_socket() for _ in kinds))
    try:
        for kind, holder in zip(kinds, taken._holders, strict=True):  # noqa: SLF001
            holder.bind(f"\0zlayer/{kind}/{value}")
    except OSError:
        taken.release()
        return None
    return taken


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


class Refusal(Enum):
    """Why a port cannot be taken."""

    CLAIMED = auto()
    """A service has it, and may give it back at any moment."""

    USED = auto()
    """A program listens there that has not claimed it."""


def claim_port(number: int, *kinds: str) -> Claim | Refusal:
    """Take this port, for TCP or what is named.

    Who listens there is looked at only by who has claimed it: before that, it could be a service
    that gives it back.
    """
    wanted = kinds or ("tcp",)
    taken = claim(str(number), *wanted)
    if taken is None:
        return Refusal.CLAIMED
    if not all(_is_free(number, kind) for kind in wanted):
        taken.release()
        return Refusal.USED
    return taken


def claim_free_port(*kinds: str) -> Claim:
    """Take any port that is free, for TCP or what is named.

    It lies below those that the kernel gives to connections.

    Raises:
        ServiceError: there is none.
    """
    for number in _candidates(_LOWEST, _first_ephemeral()):
        taken = claim_port(number, *kinds)
        if isinstance(taken, Claim):
            return taken
    raise ServiceError("no free port was found on this machine")


def claim_subnet() -> Claim:
    """Take a subnet (``10.213.7.0/24``) that no interface of this machine has.

    Raises:
        ServiceError: there is none.
    """
    routes = _routes()
    for number in _candidates(0, 127 * 256):
        start = f"10.{128 + number // 256}.{number % 256}"
        if not any(start.startswith(one) for one in routes):
            taken = claim(f"{start}.0/24", "subnet")
            if taken is not None:
                return taken
    raise ServiceError("no free subnet was found below 10.128.0.0")


def _candidates(lowest: int, highest: int) -> Iterator[int]:
    for _ in range(_TRIES):
        yield random.randrange(lowest, highest)  # noqa: S311 (nothing secret)


def _first_ephemeral() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        first = int(text.split()[0])
    except (OSError, ValueError):
        return 32_768
    return first if first > _LOWEST + _TRIES else 65_536


def _is_free(number: int, kind: str) -> bool:
    for address in (LOOPBACK, "0.0.0.0"):  # noqa: S104 (looked at, never listened on)
        with socket.socket(socket.AF_INET, _TYPES[kind]) as probe:
            if kind == "tcp":  # a UDP port could be bound twice with it
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, number))
            except OSError as error:
                if error.errno in _USED:
                    return False
                raise
    return True


_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def _routes() -> set[str]:
    """The beginnings of the destinations of all routes: ``10.`` or ``10.213.`` or ``10.213.7``."""
    try:
        lines = Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return set()
    return set(filter(None, (_beginning(*line.split()[1:8:6]) for line in lines)))


def _beginning(destination: str, mask: str) -> str:
    numbers = [str(one) for one in reversed(bytes.fromhex(destination))]
    whole = sum(one == 255 for one in bytes.fromhex(mask))
    return ".".join(numbers[: min(whole, 3)]) + ("." if 0 < whole < 3 else "")
