"""What a pull fetches, read from what buildah prints meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.events import Event, Pulled, PullProgress
from pytest_zlayer.lazy import late_pattern

_BLOB = late_pattern(r"Copying blob (?:sha256:)?([0-9a-f]{12,64})\b(.*)")


class PullWatch:
    """Tells of one pull as it goes on.

    Args:
        tell: receives the events.
        build_id, image, reference: what stands in them.
    """

    def __init__(
        self, tell: Callable[[Event], None], build_id: str, image: str, reference: str
    ) -> None:
        self._tell = tell
        self._shared: dict[str, Any] = {
            "build_id": build_id, "image": image, "reference": reference,
        }  # fmt: skip
        self._started = time.monotonic()
        self._blobs: set[str] = set()

    def line(self, _: str, text: str) -> None:
        """Take a line that buildah has printed."""
        match = _BLOB.match(text)
        if match is None:
            return
        blob, rest = match.groups()
        if "skipped" in rest:
            self._blobs.discard(blob)
        elif blob not in self._blobs:
            self._blobs.add(blob)
            self._tell(PullProgress(**self._shared, layers=len(self._blobs)))

    def done(self, manifest: Callable[[], Mapping[str, Any]]) -> None:
        """The image is there; ``manifest`` reads its manifest, if something was fetched."""
        size = self._size(manifest) if self._blobs else 0
        seconds = time.monotonic() - self._started
        self._tell(Pulled(**self._shared, seconds=seconds, layers=len(self._blobs), size=size))

    def _size(self, manifest: Callable[[], Mapping[str, Any]]) -> int | None:
        try:
            layers = manifest().get("layers") or ()
        except ZlayerError:
            return None
        sizes = {str(one.get("digest")).partition(":")[2]: one.get("size") for one in layers}
        found = [
            size
            for digest, size in sizes.items()
            if any(digest.startswith(blob) for blob in self._blobs)
        ]
        return sum(found) if found and all(isinstance(size, int) for size in found) else None
