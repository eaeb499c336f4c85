"""Processes of services, seen from this machine."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from pathlib import Path

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.scalars import number_of
from pytest_zlayer.errors import UsageError
from pytest_zlayer.waiting import left

# States of a socket in /proc/PID/net: listening for TCP, open for UDP.
_LISTENING = {"tcp": "0A", "udp": "07"}


@dataclass(frozen=True, slots=True)
class Process:
    """A process, distinguished from a later one of the same number by when it began."""

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this number now."""
        began = _began(pid)
        return None if began is None else cls(pid, began)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return _began(self.pid) == self.began

    def wait_ended(self, seconds: float) -> bool:
        """Wait until it has ended, but no longer than this; whether it has."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return not self.alive
        try:
            if not self.alive:
                return True
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            until = time.monotonic() + seconds
            while not (ended := bool(poll.poll(max(0.0, left(until)) * 1000))):
                if left(until) <= 0:
                    break
            return ended
        finally:
            os.close(descriptor)


def _began(pid: int) -> str | None:
    """When it began, in ticks since boot; ``None`` for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")


def signal_number(name: str | int) -> int:
    """The number of a signal: ``SIGTERM``, ``TERM`` or ``15``.

    Raises:
        UsageError: there is no such signal.
    """
    full = str(name).upper()
    named = signal.Signals.__members__.get(f"SIG{full.removeprefix('SIG')}")
    number = number_of(full) if named is None else int(named)
    if number is None or number not in signal.valid_signals():
        raise UsageError(f"there is no signal {name!r}", hint='such as "SIGTERM"')
    return number


def listening(pid: int, number: int, kind: str) -> list[str]:
    """The addresses on which a port is open where a process is (``127.0.0.1``, ``::``…)."""
    found = []
    for family in ("", "6"):
        try:
            lines = Path(f"/proc/{pid}/net/{kind}{family}").read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            local, state = line.split()[1:4:2]
            address, _, port = local.partition(":")
            if state == _LISTENING[kind] and int(port, 16) == number:
                found.append(_address(address))
    return found


def _address(digits: str) -> str:
    words = bytes.fromhex(digits)
    data = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    family = socket.AF_INET if len(data) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, data)
