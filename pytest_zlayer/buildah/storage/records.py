"""What buildah says about images and containers, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_zlayer.dataclass import dataclass

_UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """One image of the store.

    Attributes:
        id: 64 hexadecimal digits.
        names: full names with tags; none for an unnamed image.
        size: bytes, as exact as buildah's listing (three digits).
        created: seconds since the epoch.
    """

    id: str
    names: tuple[str, ...]
    size: int
    created: float


@dataclass(frozen=True, slots=True)
class ContainerSummary:
    """One working container of the store.

    Attributes:
        id: 64 hexadecimal digits.
        name: its name.
        image_id: the image it was made from; empty for scratch.
    """

    id: str
    name: str
    image_id: str


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """All about one image.

    Attributes:
        id: 64 hexadecimal digits.
        digest: of its manifest, ``sha256:…``.
        names: full names with tags.
        manifest, config: the JSON documents as stored.
    """

    id: str
    digest: str
    names: tuple[str, ...]
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]


def parse_images(output: str) -> tuple[ImageSummary, ...]:
    """From ``buildah images --json --no-trunc``; an image with several digests comes once."""
    found: dict[str, ImageSummary] = {}
    for item in json.loads(output or "[]") or []:
        identifier = str(item["id"]).removeprefix("sha256:")
        names = (
            (*found[identifier].names, *(item.get("names") or ()))
            if (identifier in found)
            else tuple(item.get("names") or ())
        )
        found[identifier] = ImageSummary(
            id=identifier,
            names=tuple(dict.fromkeys(names)),
            size=_bytes(str(item.get("size", "0 B"))),
            created=float(item.get("created", 0)),
        )
    return tuple(found.values())


def parse_containers(output: str) -> tuple[ContainerSummary, ...]:
    """From ``buildah containers --all --json``."""
    return tuple(
        ContainerSummary(
            id=str(item["id"]),
            name=str(item.get("containername", "")),
            image_id=str(item.get("imageid", "")),
        )
        for item in json.loads(output or "[]") or []
    )


def parse_image(output: str) -> ImageRecord:
    """From ``buildah inspect --type image``."""
    found = json.loads(output)
    config = json.loads(found["Config"])
    manifest = json.loads(found["Manifest"])
    return ImageRecord(
        id=str(found["FromImageID"]),
        digest=str(found.get("FromImageDigest", "")),
        names=(str(found["FromImage"]),) if found.get("FromImage") else (),
        manifest=manifest,
        config=config,
    )


def _bytes(size: str) -> int:
    number, _, unit = size.partition(" ")
    try:
        return round(float(number) * _UNITS[unit])
    except (KeyError, ValueError):
        return 0
