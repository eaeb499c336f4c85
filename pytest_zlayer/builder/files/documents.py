"""The JSON that describes an image of others: read as a whole, but no more than registries take."""

from __future__ import annotations

from pathlib import Path

from pytest_zlayer.errors import UsageError

_LARGEST = 4 << 20  # bytes: what registries, and the engine, take of a manifest


def read_document(path: Path, shown: str) -> bytes:
    """The content of a manifest, an index or a configuration.

    Args:
        path: the file.
        shown: how to call it in messages.

    Raises:
        UsageError: it is longer than such a document can be.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UsageError(
            f"{shown} has more than {_LARGEST >> 20} MiB: nothing that describes an image does"
        )
    return data
