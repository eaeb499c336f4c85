"""The store's own records, read directly: what buildah says in 25 ms costs one here.

The layout is that of containers/storage, unchanged since long before buildah 1.28. Whatever does
not look like it counts as "not known here", and buildah is asked. The records are replaced as a
whole when they change, so a reader never meets half of one; buildah's own listing, on the other
hand, fails when an image goes away while it is at it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.buildah.storage.records import ImageRecord, ImageSummary

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def read_image(storage: StorageInfo, reference: str) -> ImageRecord | None:
    """An image by its full id or full name, or ``None`` when the records do not tell."""
    images = _directory(storage, "images")
    try:
        entry = next(one for one in _json(images / "images.json") if _is(one, reference))
        manifest = _json(images / entry["id"] / "manifest")
        config = _json(images / entry["id"] / _file_name(manifest["config"]["digest"]))
        return ImageRecord(
            id=entry["id"],
            digest=str(entry["digest"]),
            names=tuple(entry.get("names") or ()),
            manifest=manifest,
            config=config,
        )
    except (*_UNREADABLE, StopIteration):
        return None


def read_images(storage: StorageInfo) -> tuple[ImageSummary, ...] | None:
    """All images with their exact sizes, or ``None`` when the records do not tell."""
    try:
        entries = _json(_directory(storage, "images") / "images.json")
        layers = {one["id"]: one for one in _json(_directory(storage, "layers") / "layers.json")}
        return tuple(
            ImageSummary(
                id=entry["id"],
                names=tuple(entry.get("names") or ()),
                size=_size(entry.get("layer", ""), layers),
                created=_seconds(entry["created"]),
            )
            for entry in entries
        )
    except _UNREADABLE:
        return None


def is_list(storage: StorageInfo, reference: str) -> bool:
    """Whether a name or full id is that of a manifest list, as far as the records tell."""
    images = _directory(storage, "images")
    try:
        entry = next(one for one in _json(images / "images.json") if _is(one, reference))
        return "manifests" in _json(images / entry["id"] / "manifest")
    except (*_UNREADABLE, StopIteration):
        return False


def images_version(storage: StorageInfo) -> object | None:
    """A value that changes with every change of the images, or ``None`` if there is none."""
    try:
        status = (_directory(storage, "images") / "images.json").stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _directory(storage: StorageInfo, what: str) -> Path:
    return storage.root / f"{storage.driver}-{what}"


def _is(entry: Mapping[str, Any], reference: str) -> bool:
    names = entry.get("names") or ()
    return reference == entry["id"] or reference in names or f"{reference}:latest" in names


def _size(layer: str, layers: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of a layer and all below it; one that is being written may not be known yet."""
    size = 0
    while layer and layer in layers:
        size += int(layers[layer].get("diff-size") or 0)
        layer = str(layers[layer].get("parent") or "")
    return size


def _seconds(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time in UTC; fractions do not matter."""
    moment = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007  # made aware below
    return moment.replace(tzinfo=timezone.utc).timestamp()


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _file_name(key: str) -> str:
    """How containers/storage spells a key with a colon as a file name."""
    return "=" + base64.b64encode(key.encode()).decode()
