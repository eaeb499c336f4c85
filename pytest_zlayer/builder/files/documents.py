"""The JSON that describes an image of others: read as a whole, but no more than registries take."""

from __future__ import annotations

from pathlib import Path

from pytest_zlayer.builder.files.bounded import read_at_most

_LARGEST = 4  # MiB: what registries, and the engine, take of a manifest


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
        return read_at_most(file, _LARGEST, shown, "nothing that describes an image does")
