"""What containers and the store need to know of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from pytest_zlayer.builder.image.path import ImagePath
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig

SaveFormat = Literal["oci-archive", "docker-archive", "oci", "dir"]
OtherEngine: TypeAlias = Literal["docker", "podman"]
CommandLike: TypeAlias = "str | Sequence[str] | None"


class ImageLike(Protocol):
    """What is known of an image wherever it is handed on; attributes as those of ``Image``."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def short_id(self) -> str: ...
    @property
    def native_id(self) -> str: ...
    @property
    def config(self) -> ImageConfig: ...
    @property
    def is_manifest_list(self) -> bool: ...
    @property
    def platforms(self) -> Mapping[str, ImageLike]: ...
    @property
    def size(self) -> int: ...
    def path(self, path: str) -> ImagePath: ...
    def stage(self, name: str) -> ImageLike: ...
