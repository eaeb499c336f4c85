"""The channel between the workers of pytest-xdist and their controller: events as they happen.

pytest-xdist itself sends something only when a test begins or ends, and a build is long before
that. The sockets have no file that could be left behind; who connects has to know the token.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_zlayer.report.wire import decode, encode
from pytest_zlayer.waiting import Outcome, join

if TYPE_CHECKING:
    from pytest_zlayer.events import Event

# Seconds that a worker waits for a controller that takes in nothing: its builds go on meanwhile.
_PATIENCE = 5.0
# Seconds that the controller waits for what a worker has sent before it ended: it does come.
_ARRIVAL = 60.0
_TOKEN = 32


class Receiver:
    """The controller's end: calls ``take(event, worker, at)``, from threads of its own.

    Attributes:
        address: what a worker has to be given; ``None`` where there can be no channel.
    """

    def __init__(self, take: Callable[[Event, str, float], None]) -> None:
        self._take = take
        self._token = secrets.token_hex(_TOKEN // 2)
        self._threads: dict[str, Outcome[threading.Thread]] = {}
        self._closed = False
        self._socket: socket.socket | None = None
        self.address: str | None = None
        name = f"zlayer-{secrets.token_hex(12)}"
        with contextlib.suppress(OSError):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.bind(f"\0{name}")
            self._socket.listen(64)
            self.address = f"{name} {self._token}"
            threading.Thread(target=self._accept, name="zlayer-accept", daemon=True).start()

    def join(self, worker: str) -> None:
        """Wait until everything is taken in that a worker has sent, which has ended."""
        thread = self._thread_of(worker)
        if thread.wait(_ARRIVAL):
            join(thread.result(), _ARRIVAL)

    def _thread_of(self, worker: str) -> Outcome[threading.Thread]:
        """What takes in what a worker sends, once that has begun to send."""
        return self._threads.setdefault(worker, Outcome())

    def close(self) -> None:
        """Take in nothing more."""
        self._closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # wakes up who accepts
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _accept(self) -> None:
        while not self._closed and self._socket is not None:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(
                target=self._receive, args=(connection,), name="zlayer-receive", daemon=True
            )
            thread.start()

    def _receive(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            token, _, worker = lines.readline(200).decode("ascii", "replace").strip().partition(" ")
            if not secrets.compare_digest(token, self._token):
                return
            self._thread_of(worker).give(threading.current_thread())
            with contextlib.suppress(OSError):  # the worker was killed
                for line in lines:
                    with contextlib.suppress(ValueError):  # and may have been in the middle
                        event, more = decode(line)
                        self._take(event, worker, float(more.get("at", time.time())))


class Sender:
    """A worker's end. Safe for several threads.

    Raises:
        OSError: there is nobody at this address, as on another machine.
    """

    def __init__(self, address: str, worker: str) -> None:
        name, _, token = address.partition(" ")
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_PATIENCE)
            self._socket.connect(f"\0{name}")
            self._socket.sendall(f"{token} {worker}\n".encode())
        except OSError:
            self._socket.close()
            raise
        self._broken = False

    def send(self, event: Event) -> bool:
        """Send an event; whether it has gone out. A build never fails for want of a listener."""
        line = encode(event, at=time.time())
        with self._lock:
            if self._broken:
                return False
            try:
                self._socket.sendall(line)
            except OSError:
                self._broken = True
                return False
        return True

    def close(self) -> None:
        """Send nothing more."""
        with self._lock:
            self._broken = True
            with contextlib.suppress(OSError):  # nobody listens any more
                # A child that a test has forked has the socket open too.
                self._socket.shutdown(socket.SHUT_WR)
            self._socket.close()
