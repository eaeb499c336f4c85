"""What a pull fetches: read from what buildah prints meanwhile, and what it has written so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.events import Event, Pulled, Pulling, PullProgress, Waiting
from pytest_zlayer.lazy import late_pattern

_BLOB = late_pattern(r"Copying blob (?:sha256:)?([0-9a-f]{12,64})\b(.*)")


class PullWatch:
    """Tells of one pull as it goes on.

    Args:
        tell: receives the events.
        build_id, image, reference: what stands in them.
        manifest: of the image, as far as it is known before.
    """

    def __init__(
        self,
        tell: Callable[[Event], None],
        build_id: str,
        image: str,
        reference: str,
        manifest: Mapping[str, Any] | None = None,
    ) -> None:
        self._tell = tell
        self._shared: dict[str, Any] = {
            "build_id": build_id, "image": image, "reference": reference,
        }  # fmt: skip
        self._started = 0.0
        self._expected = _sizes(manifest or {})
        # Layers that have begun to come, and that need not: by digest, which may be cut short.
        self._blobs: set[str] = set()
        self._skipped: set[str] = set()
        self._bytes = 0

    def wait(self) -> None:
        """Another build pulls the image."""
        about = {key: value for key, value in self._shared.items() if key != "reference"}
        self._tell(Waiting(**about, what=self._shared["reference"], reason="pull"))

    def begin(self) -> None:
        """Nobody else pulls the image: it begins."""
        self._started = time.monotonic()
        self._tell(Pulling(**self._shared))

    def line(self, _: str, text: str) -> None:
        """Take a line that buildah has printed."""
        match = _BLOB.match(text)
        if match is None:
            return
        blob, rest = match.groups()
        if "skipped" in rest:
            self._blobs.discard(blob)
            self._skipped.add(blob)
        elif blob not in self._blobs:
            self._blobs.add(blob)
            self._tell_progress()

    def came(self, size: int) -> None:
        """So many bytes have come."""
        if size != self._bytes:
            self._bytes = size
            self._tell_progress()

    def done(self, manifest: Callable[[], Mapping[str, Any]]) -> None:
        """The image is there; ``manifest`` reads its manifest, if something was fetched."""
        size = self._size(manifest) if self._blobs else 0
        seconds = time.monotonic() - self._started
        self._tell(Pulled(**self._shared, seconds=seconds, layers=len(self._blobs), size=size))

    def _tell_progress(self) -> None:
        progress = PullProgress(
            **self._shared, layers=len(self._blobs), bytes=self._bytes, total=self._total()
        )
        self._tell(progress)

    def _total(self) -> int | None:
        """Bytes that have to come; ``None`` too if the tag has come to mean another image."""
        if not all(any(_is(digest, blob) for digest in self._expected) for blob in self._blobs):
            return None
        coming = [
            size
            for digest, size in self._expected.items()
            if not any(_is(digest, blob) for blob in self._skipped)
        ]
        return sum(coming) or None

    def _size(self, manifest: Callable[[], Mapping[str, Any]]) -> int | None:
        try:
            sizes = _sizes(manifest())
        except ZlayerError:
            return None
        found = [
            size for digest, size in sizes.items() if any(_is(digest, blob) for blob in self._blobs)
        ]
        return sum(found) or None


def _sizes(manifest: Mapping[str, Any]) -> dict[str, int]:
    """The bytes of each layer of a manifest; empty if it does not tell them of all."""
    found = {str(one.get("digest")): one.get("size") for one in manifest.get("layers") or ()}
    known = {digest: size for digest, size in found.items() if isinstance(size, int)}
    return known if len(known) == len(found) else {}


def _is(digest: str, blob: str) -> bool:
    return digest.removeprefix("sha256:").startswith(blob)
