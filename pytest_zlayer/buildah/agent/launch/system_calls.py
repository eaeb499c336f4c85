"""System calls for which Python has no function."""

from __future__ import annotations

import ctypes
import os
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)


def system_call(name: str, *arguments: Any, about: str = "") -> None:
    """Makes a system call through the C library.

    Raises:
        OSError: it failed; ``about`` says in the message what it was for.
    """
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), about or name)
