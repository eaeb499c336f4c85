"""What buildah has noted of a working container, as far as a command in it depends on that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.runtime.specification import NotUnderstood
from pytest_zlayer.dataclass import dataclass

# What says where a container comes from, and not how its commands run.
_OF_IMAGE = {
    "Args", "type", "image", "image-id", "image-digest", "image-annotations", "config", "manifest",
    "container", "container-id", "container-name", "mountpoint", "annotations", "ociv1", "docker",
    "PrependedEmptyLayers", "AppendedEmptyLayers", "ImageAnnotations", "ImageCreatedBy",
    "ImageHistoryComment", "TopLayer", "Format", "ContentDigester", "created",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """One working container.

    Attributes:
        name, id: of the container.
        image, image_id: what it was made from.
        env: variables of its configuration.
        user, workdir: of its configuration.
        way: everything else that decides how commands run in it, as one text to compare.
    """

    name: str
    id: str
    image: str
    image_id: str
    env: Sequence[str]
    user: str
    workdir: str
    way: str


def read_record(directory: Path) -> ContainerRecord:
    """What lies in the directory that buildah keeps for a container.

    Raises:
        NotUnderstood: it is not as expected, or needs what only buildah does.
    """
    try:
        return _parse(json.loads((directory / "buildah.json").read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotUnderstood(f"record of a container: {error!r}") from error


def _parse(document: Mapping[str, Any]) -> ContainerRecord:
    config = document["ociv1"].get("config") or {}
    docker = document["docker"].get("config") or {}
    if config.get("Volumes") or docker.get("Volumes"):
        raise NotUnderstood("volumes of the image")
    if docker.get("Hostname"):
        raise NotUnderstood("a host name of the image")
    way = {key: value for key, value in document.items() if key not in _OF_IMAGE}
    return ContainerRecord(
        name=str(document["container-name"]),
        id=str(document["container-id"]),
        image=str(document.get("image") or ""),
        image_id=str(document["image-id"]),
        env=list(config.get("Env") or ()),
        user=str(config.get("User") or ""),
        workdir=str(config.get("WorkingDir") or ""),
        way=json.dumps(way, sort_keys=True),
    )
