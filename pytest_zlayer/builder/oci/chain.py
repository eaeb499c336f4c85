"""What an image is made of: its layers, and the history that tells how they came about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from pytest_zlayer.dataclass import dataclass

EPOCH = "1970-01-01T00:00:00Z"
# More layers no container can be made of: the overlay driver's limit of mounted directories.
MOST_LAYERS = 127


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image: uncompressed digest, size in bytes, and its tar if it is new."""

    diff_id: str
    size: int
    blob: Path | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of an image's history; ``created`` is RFC 3339, ``empty`` means it made no layer."""

    created_by: str
    created: str = EPOCH
    comment: str = ""
    author: str = ""
    empty: bool = False

    def to_json(self) -> dict[str, Any]:
        """The entry as image configurations store it."""
        found: dict[str, Any] = {"created": self.created, "created_by": self.created_by}
        if self.author:
            found["author"] = self.author
        if self.comment:
            found["comment"] = self.comment
        if self.empty:
            found["empty_layer"] = True
        return found


@dataclass(frozen=True, slots=True)
class Chain:
    """What an image is made of: its layers from the bottom up, and the history of them."""

    layers: tuple[Layer, ...] = ()
    history: tuple[HistoryEntry, ...] = ()

    def __post_init__(self) -> None:
        missing = len(self.layers) - sum(not entry.empty for entry in self.history)
        if missing > 0:  # images without (whole) history are legal; keep layers and history in step
            padding = tuple(HistoryEntry("") for _ in range(missing))
            object.__setattr__(self, "history", padding + self.history)

    def add(self, layer: Layer, entry: HistoryEntry) -> Chain:
        """The chain with one more layer on top."""
        return Chain((*self.layers, layer), (*self.history, entry))

    def lowest(self, count: int) -> Chain:
        """The chain that ends with the layer number ``count``."""
        ends = [place for place, entry in enumerate(self.history, 1) if not entry.empty]
        return Chain(self.layers[:count], self.history[: ends[count - 1]] if count else ())

    def note(self, entry: HistoryEntry) -> Chain:
        """The chain with one more line of history that made no layer."""
        return Chain(self.layers, (*self.history, replace(entry, empty=True)))


def timestamp_text(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_chain(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Chain:
    """Layers and history of an image in the store, from its manifest and configuration."""
    sizes = [int(layer.get("size", 0)) for layer in manifest.get("layers", ())]
    digests = list(config.get("rootfs", {}).get("diff_ids") or ())
    known = zip(digests, chain(sizes, repeat(0)), strict=False)
    layers = tuple(Layer(digest, size) for digest, size in known)
    return Chain(layers, tuple(_read_history(config.get("history") or ())))


def _read_history(entries: Iterable[Mapping[str, Any]]) -> Iterable[HistoryEntry]:
    for entry in entries:
        yield HistoryEntry(
            created_by=entry.get("created_by", ""),
            created=entry.get("created", EPOCH),
            comment=entry.get("comment", ""),
            author=entry.get("author", ""),
            empty=bool(entry.get("empty_layer")),
        )
