"""What checks ask of whatever they are about: files, a configuration, commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Protocol

from pytest_zlayer.dockerfile.operations.image_config import ImageConfig


class Stat(Protocol):
    """Facts of a file; ``kind`` is ``file``, ``directory``, ``symlink`` and so on."""

    @property
    def kind(self) -> str: ...
    @property
    def mode(self) -> int: ...
    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def size(self) -> int: ...


class FilePath(Protocol):
    """A path inside an image; links are followed inside it."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> FilePath: ...
    def __truediv__(self, other: str) -> FilePath: ...
    def exists(self) -> bool: ...
    def is_file(self) -> bool: ...
    def is_dir(self) -> bool: ...
    def is_symlink(self) -> bool: ...
    def stat(self) -> Stat: ...
    def lstat(self) -> Stat: ...
    def readlink(self) -> str: ...
    def open(self) -> BinaryIO: ...
    def read_bytes(self) -> bytes: ...
    def iterdir(self) -> Iterator[FilePath]: ...
    def walk(self) -> Iterator[tuple[FilePath, Stat]]: ...


class HasFiles(Protocol):
    """An image or a container, by its files."""

    def path(self, path: str) -> FilePath: ...


class Package(Protocol):
    """An installed package."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


class HasPackages(Protocol):
    """What has packages installed, by name."""

    @property
    def packages(self) -> Mapping[str, Package]: ...


class HasConfig(Protocol):
    """What has an image configuration."""

    @property
    def config(self) -> ImageConfig: ...


class Sized(Protocol):
    """A layer."""

    @property
    def size(self) -> int: ...


class HistoryLine(Protocol):
    """A line of an image's history."""

    @property
    def created_by(self) -> str: ...
    @property
    def empty(self) -> bool: ...


class HasLayers(Protocol):
    """What is made of layers; sizes in bytes."""

    @property
    def size(self) -> int: ...
    @property
    def layers(self) -> Sequence[Sized]: ...
    @property
    def history(self) -> Sequence[HistoryLine]: ...
    @property
    def wasted(self) -> Iterable[Wasted]: ...


class Wasted(Protocol):
    """A file of a layer that a later layer hides or writes again; ``layer`` counts from 1."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def layer(self) -> int: ...


class Ended(Protocol):
    """How a command ended."""

    @property
    def exit_code(self) -> int: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...
