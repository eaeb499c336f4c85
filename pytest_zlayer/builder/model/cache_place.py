"""Places on other machines where cached layers are read and written: a directory or a registry."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

_DIRECTORY = "dir:"
_DOCKER = "docker://"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = late_pattern(rf"(?P<host>{_HOST})(?:/{_COMPONENT})+")


@dataclass(frozen=True, slots=True)
class DirectoryPlace:
    """An OCI layout directory: on a shared file system, or saved and restored by a CI service."""

    path: Path

    def __str__(self) -> str:
        return f"{_DIRECTORY}{self.path}"


@dataclass(frozen=True, slots=True)
class RegistryPlace:
    """A repository of an OCI registry, without tag: ``ghcr.io/owner/name/zlayer``."""

    repository: str

    def __str__(self) -> str:
        return self.repository


CachePlace: TypeAlias = DirectoryPlace | RegistryPlace


def parse_place(text: str, directory: Path) -> CachePlace:
    """The place that ``text`` names; relative paths start at ``directory``.

    Raises:
        ValueError: it names none, with the reason as message.
    """
    if text.startswith(_DIRECTORY):
        path = text.removeprefix(_DIRECTORY)
        if not path:
            raise ValueError("dir: needs a path, as in dir:.zlayer-cache")
        return DirectoryPlace(directory / path)
    repository = text.removeprefix(_DOCKER)
    if "@" in repository:
        raise ValueError("a cache place has no digest: name the repository alone")
    last = repository.rpartition("/")[2]
    if ":" in last and "/" in repository:
        raise ValueError("a cache place has no tag: name the repository alone")
    match = _REPOSITORY.fullmatch(repository)
    if match is None or not _is_registry(match["host"]):
        raise ValueError(
            f"{text!r} is neither dir:PATH nor REGISTRY/REPOSITORY, such as ghcr.io/owner/zlayer"
        )
    if match["host"] == "localhost":
        raise ValueError("localhost/ names images of this machine: name a registry")
    return RegistryPlace(repository)


def _is_registry(host: str) -> bool:
    """Whether the first component of a name is a registry, as Docker tells it."""
    return host == "localhost" or "." in host or ":" in host
