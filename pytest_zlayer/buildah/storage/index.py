"""Facts about images from the storage's own records: what buildah says in 25 ms costs one here.

The layout is that of containers/storage, unchanged since long before buildah 1.28. Whatever does
not look like it counts as "not known here", and buildah is asked. The records are replaced as a
whole when they change, so a reader never meets half of one; buildah's own listing, on the other
hand, fails when an image goes away while it is at it.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.agent.records import Record, Records, Unreadable
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.buildah.storage.records import ImageRecord, ImageSummary

_UNREADABLE = (Unreadable, OSError, ValueError, KeyError, TypeError, AttributeError)


def read_image(storage: StorageInfo, reference: str) -> ImageRecord | None:
    """An image by its full id or full name, or ``None`` when the records do not tell."""
    records = Records(storage.options)
    try:
        entry = _image(records, reference)
        manifest = _json(_data(records, entry, "manifest"))
        config = _json(_data(records, entry, _file_name(manifest["config"]["digest"])))
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
        records = Records(storage.options)
        if not records.files("images"):
            return None
        layers = {one["id"]: one for one in records.all("layers")}
        return tuple(
            ImageSummary(
                id=entry["id"],
                names=tuple(entry.get("names") or ()),
                size=_size(entry.get("layer", ""), layers),
                created=_seconds(entry["created"]),
            )
            for entry in records.all("images")
        )
    except _UNREADABLE:
        return None


def layer_digests(storage: StorageInfo) -> frozenset[str]:
    """The digests of all layers, plain and as they arrived; none when the records do not tell."""
    try:
        layers = Records(storage.options).all("layers")
    except Unreadable:
        return frozenset()
    keys = ("diff-digest", "compressed-diff-digest")
    return frozenset(str(one[key]) for one in layers for key in keys if one.get(key))


def split_files(storage: StorageInfo, image_id: str) -> list[Path] | None:
    """The files that say how the tars of the layers of an image are made up, the lowest first.

    ``None`` when the records do not tell.
    """
    records = Records(storage.options)
    try:
        top = _image(records, image_id)["layer"]
        folder = Path(records.folder("layers"))
        return [folder / f"{one}.tar-split.gz" for one in reversed(records.chain(top))]
    except (*_UNREADABLE, StopIteration):
        return None


def is_list(records: Records, reference: str) -> bool:
    """Whether a name or full id is that of a manifest list, as far as the records tell."""
    try:
        return records.is_list(_image(records, reference))
    except (*_UNREADABLE, StopIteration):
        return False


def images_version(storage: StorageInfo) -> object | None:
    """A value that changes with every change of the images, or ``None`` if there is none."""
    files = Records(storage.options).files("images")
    try:
        status = os.stat(files[0])
    except (IndexError, OSError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _image(records: Records, reference: str) -> Record:
    """The image of this full id or full name; ``StopIteration`` if there is none."""
    return next(iter(records.called("images", (reference, f"{reference}:latest"))))


def _data(records: Records, image: Record, name: str) -> str:
    """The file that holds a document of an image."""
    return os.path.join(records.folder("images"), image["id"], name)


def _size(layer: str, layers: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of a layer and all below it; one that is being written may not be known yet."""
    size = 0
    while layer and layer in layers:
        size += int(layers[layer].get("diff-size") or 0)
        layer = str(layers[layer].get("parent") or "")
    return size


def _seconds(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time in UTC; fractions do not matter."""
    moment = datetime.fromisoformat(text[:19])
    return moment.replace(tzinfo=timezone.utc).timestamp()


def _json(path: str) -> Any:
    with open(path, "rb") as file:
        return json.load(file)


def _file_name(key: str) -> str:
    """How containers/storage spells a key with a colon as a file name."""
    return "=" + base64.b64encode(key.encode()).decode()
