"""Where the bytes of a file come from when a layer is written."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO, Protocol

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.dataclass import dataclass


class Content(Protocol):
    """Bytes that can be read more than once."""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    def open(self) -> BinaryIO:
        """The bytes, from the start."""
        ...


@dataclass(frozen=True, slots=True)
class TreeContent:
    """A regular file of a tree."""

    rootfs: Rootfs
    path: str
    size: int

    def open(self) -> BinaryIO:
        return self.rootfs.open(self.path)


@dataclass(frozen=True, slots=True)
class InlineContent:
    """Bytes at hand: a here-document."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


@dataclass(frozen=True, slots=True)
class MemberContent:
    """A member of an archive; ``opener`` gives its bytes."""

    size: int
    opener: Callable[[], BinaryIO]

    def open(self) -> BinaryIO:
        return self.opener()
