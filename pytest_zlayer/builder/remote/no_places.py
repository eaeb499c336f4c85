"""The cache of a session that has no cache places."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_zlayer.buildah.process.interruption import Interruption
    from pytest_zlayer.builder.cache.entries import CachedLayers
    from pytest_zlayer.builder.remote.entry import Entry
    from pytest_zlayer.builder.remote.lookup import Asked
    from pytest_zlayer.builder.remote.sender import Batch
    from pytest_zlayer.builder.remote.trace import Trace


class NoRemoteCache:
    """What builds ask of cache places, where there are none."""

    reads = False
    sends = False
    # The commands that send layers.
    sending: Interruption | None = None

    def find(self, key: str, asked: Asked) -> CachedLayers | None:  # noqa: ARG002
        """The layers of a key, brought into the store from the first place that has them."""
        return None

    def look_again(self, key: str, asked: Asked) -> CachedLayers | None:  # noqa: ARG002
        """The same for what another machine may have finished since the keys were listed."""
        return None

    def nearest(self, tag: str) -> tuple[str, Trace | None] | None:  # noqa: ARG002
        """The place with the latest entry of a stage, and what that was made from."""
        return None

    def arrived(self, place: str, entry: Entry) -> None:
        """Note that an entry is in use."""

    def offer(self, batch: Batch) -> None:
        """Have finished layers sent, in the background."""

    def close(self, *, hurry: bool) -> None:
        """Wait for what is being sent, but not for long."""
