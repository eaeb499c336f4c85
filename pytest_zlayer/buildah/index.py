"""The store's own records, read directly: what ``buildah inspect`` says in 25 ms costs one here.

The layout is that of containers/storage, unchanged since long before buildah 1.28. Whatever does
not look like it counts as "not known here", and buildah is asked.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.records import ImageRecord
from pytest_zlayer.buildah.storage import StorageInfo


def read_image(storage: StorageInfo, image_id: str) -> ImageRecord | None:
    """An image by its full id, or ``None`` when the records do not tell.

    They are replaced as a whole when they change, so a reader never meets half of one.
    """
    images = storage.root / f"{storage.driver}-images"
    try:
        entry = next(
            one for one in _json(images / "images.json") if one["id"] == image_id
        )
        manifest = _json(images / image_id / "manifest")
        config = _json(images / image_id / _file_name(manifest["config"]["digest"]))
        return ImageRecord(
            id=image_id,
            digest=str(entry["digest"]),
            names=tuple(entry.get("names") or ()),
            manifest=manifest,
            config=config,
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _file_name(key: str) -> str:
    """How containers/storage spells a key with a colon as a file name."""
    return "=" + base64.b64encode(key.encode()).decode()
