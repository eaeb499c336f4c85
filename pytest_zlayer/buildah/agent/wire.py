"""Messages between a process and its agent: a length, a JSON object, and file descriptors."""

from __future__ import annotations

import array
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]
_LENGTH = struct.Struct("!I")
_MOST_DESCRIPTORS = 8


def send(channel: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Sends one message; the descriptors travel with its first bytes."""
    data = json.dumps(message).encode("ascii")
    header = _LENGTH.pack(len(data))
    if descriptors:
        socket.send_fds(channel, [header], list(descriptors))
    else:
        channel.sendall(header)
    channel.sendall(data)


def receive(channel: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message with its descriptors; ``None`` when the other end is gone."""
    header, descriptors = _receive_descriptors(channel)
    header += _exactly(channel, _LENGTH.size - len(header)) if header else b""
    if len(header) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(header)[0]
    data = _exactly(channel, length)
    return (json.loads(data), descriptors) if len(data) == length else None


def _receive_descriptors(channel: socket.socket) -> tuple[bytes, list[int]]:
    # Not socket.recv_fds: it drops the flag that keeps descriptors out of other programs.
    found = array.array("i")
    space = socket.CMSG_LEN(_MOST_DESCRIPTORS * found.itemsize)
    header, messages, _, _ = channel.recvmsg(_LENGTH.size, space, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return header, list(found)


def _exactly(channel: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = channel.recv(min(length - len(parts), 1 << 20))
        if not part:
            break
        parts += part
    return bytes(parts)
