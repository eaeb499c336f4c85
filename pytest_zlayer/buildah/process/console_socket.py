"""The terminal of a container: made by the OCI runtime, which hands it over through a socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

# Where the runtime, which goes to the bundle first, hands the terminal over. The path of a socket
# is 107 bytes long at most, and that of a bundle can be longer.
SOCKET = "console"
# What a person types to end the input (Ctrl-D).
END_OF_INPUT = b"\x04"
_WORDS = 64 * 1024


def listen(bundle: Path) -> socket.socket:
    """Waits in a bundle for the runtime to connect. Raises ``OSError``."""
    directory = os.open(bundle, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{SOCKET}")
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(directory)
    return listener


def receive(listener: socket.socket) -> list[int]:
    """The terminal that a runtime which has connected hands over, as an open descriptor."""
    connection, _ = listener.accept()
    with connection:
        _, descriptors, _, _ = socket.recv_fds(connection, _WORDS, 1)
    return descriptors
