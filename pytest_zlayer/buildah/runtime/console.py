"""The terminal of a command in a container, joined with ours."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pytest_zlayer.buildah.process.console_socket import listen, receive
from pytest_zlayer.waiting import join

_STDIN, _STDOUT = 0, 1
_CHUNK = 64 * 1024


@contextmanager
def joined(bundle: Path) -> Iterator[None]:
    """Within it, what is typed into our terminal goes to the one that is made for ``bundle``.

    Standard input and output of this process are a terminal.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(listen(bundle))
        over, end = os.pipe2(os.O_CLOEXEC)
        stack.callback(os.close, over)
        relay = threading.Thread(target=_relay, args=[listener, over], name="zlayer-console")
        relay.start()
        stack.callback(join, relay)
        stack.callback(os.close, end)
        yield


def _relay(listener: socket.socket, over: int) -> None:
    """Waits for the terminal and passes on both ways, until it is gone or ``over`` is closed."""
    if listener.fileno() not in select.select([listener.fileno(), over], [], [])[0]:
        return
    descriptors = receive(listener)
    with ExitStack() as stack:
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        stack.enter_context(_raw())
        for console in descriptors:
            _pass_on(console, over)


@contextmanager
def _raw() -> Iterator[None]:
    """Our terminal leaves lines, echo and signals to the other one."""
    before = termios.tcgetattr(_STDIN)
    tty.setraw(_STDIN)
    try:
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)


def _pass_on(console: int, over: int) -> None:
    watched = [_STDIN, console, over]
    _resize(console)
    # A terminal whose last user has gone gives an error.
    with suppress(OSError):
        while True:
            ready = select.select(watched, [], [])[0]
            if console in ready:
                _write(_STDOUT, os.read(console, _CHUNK))
            elif over in ready or not _type(console):
                return


def _type(console: int) -> bool:
    """Passes on what was typed; false when nobody types any more."""
    typed = os.read(_STDIN, _CHUNK)
    _resize(console)
    _write(console, typed)
    return bool(typed)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _resize(console: int) -> None:
    """Both terminals have the same size; ours may change at any time."""
    size = fcntl.ioctl(_STDIN, termios.TIOCGWINSZ, bytes(8))
    fcntl.ioctl(console, termios.TIOCSWINSZ, size)
