"""Reading a whole file into memory, up to a limit."""

from __future__ import annotations

from typing import BinaryIO

from pytest_zlayer.errors import UsageError


def read_at_most(file: BinaryIO, mebibytes: int, name: str, remark: str) -> bytes:
    """The rest of an open file.

    Args:
        file: the open file.
        mebibytes: how much it can have.
        name: how to call it in messages.
        remark: why it cannot be what it is said to be if it has more.

    Raises:
        UsageError: it has more.
    """
    data = file.read((mebibytes << 20) + 1)
    if len(data) > mebibytes << 20:
        raise UsageError(f"{name} has more than {mebibytes} MiB: {remark}")
    return data
