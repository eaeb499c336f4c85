"""An entry of a cache place: an OCI image that holds all layers of a stage above its base image."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from pytest_zlayer.builder.oci.chain import MOST_LAYERS, HistoryEntry
from pytest_zlayer.builder.oci.layout import digest_of
from pytest_zlayer.builder.remote.trace import TRACE, Trace
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_CREATED = "org.opencontainers.image.created"
_ANNOTATION = "io.github.pytest-zlayer.entry"
_VERSION = 1
_KEY = late_pattern("[0-9a-f]{64}")
# What it means to read JSON that anybody may have written.
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
_OTHER = "it is not an entry of this kind"


class EntryError(Exception):
    """An entry that must not be used; the message says why, as the end of a sentence.

    Attributes:
        digest: of its manifest, where that is known.
    """

    digest = ""


@contextmanager
def of_manifest(digest: str) -> Iterator[None]:
    """Say of an error which entry it is about."""
    try:
        yield
    except EntryError as error:
        error.digest = digest
        raise


@dataclass(frozen=True, slots=True)
class EntryLayer:
    """One layer.

    Attributes:
        diff_id: digest of the uncompressed tar, ``sha256:…``.
        size: bytes of the uncompressed tar.
        digest: digest of the gzip stream.
        compressed: bytes of the gzip stream.
    """

    diff_id: str
    size: int
    digest: str
    compressed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a place says about the layers of one or more cache keys.

    Attributes:
        base: diff ids of the base image that the layers were made on.
        keys: each cache key, and how many of the layers, from the lowest, are its.
        layers: the layers above the base, from the lowest.
        history: one entry a layer, as in the image that was made.
        created: seconds since the epoch.
        platform: architecture, operating system and variant.
        trace: what its layers were made from; only written, see :func:`read_trace`.
    """

    base: tuple[str, ...]
    keys: Mapping[str, int]
    layers: tuple[EntryLayer, ...]
    history: tuple[HistoryEntry, ...]
    created: float
    platform: tuple[str, str, str]
    trace: Trace | None = None

    @property
    def top(self) -> str:
        """The key that stands for all layers."""
        return max(self.keys, key=lambda key: self.keys[key])

    @property
    def compressed(self) -> int:
        """Bytes that fetching all layers takes."""
        return sum({one.digest: one.compressed for one in self.layers}.values())

    def config(self) -> bytes:
        """The image configuration, as a blob."""
        architecture, system, variant = self.platform
        found: dict[str, Any] = {"architecture": architecture, "os": system}
        if variant:
            found["variant"] = variant
        found["rootfs"] = {"type": "layers", "diff_ids": [one.diff_id for one in self.layers]}
        found["history"] = [one.to_json() for one in self.history]
        return encoded(found)

    def manifest(self) -> bytes:
        """The manifest, as a blob."""
        config = self.config()
        data = {
            "version": _VERSION,
            "base": list(self.base),
            "keys": dict(self.keys),
            "sizes": [one.size for one in self.layers],
        }
        return encoded(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": descriptor(_CONFIG_TYPE, config),
                "layers": [
                    {"mediaType": _LAYER_TYPE, "digest": one.digest, "size": one.compressed}
                    for one in self.layers
                ],
                "annotations": {
                    _CREATED: _timestamp(self.created),
                    _ANNOTATION: encoded(data).decode(),
                    **({} if self.trace is None else {TRACE: self.trace.to_json()}),
                },
            }
        )


def encoded(content: Mapping[str, Any]) -> bytes:
    """JSON as all machines write it."""
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    """What a manifest or an index says of a blob."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def config_digest(manifest: Mapping[str, Any]) -> str:
    """The digest of the configuration that a manifest names."""
    try:
        return str(manifest["config"]["digest"])
    except (KeyError, TypeError):
        raise EntryError("its manifest names no configuration") from None


def refuse_old(manifest: Mapping[str, Any], max_age: float) -> None:
    """See that an entry was not made more than ``max_age`` seconds ago, before it is fetched.

    Raises:
        EntryError: it was, or does not say when.
    """
    if is_older(created_at(manifest), max_age):
        raise EntryError("it is older than the cache's maximum age")


def is_older(created: float, max_age: float) -> bool:
    """Whether an entry was made more than this many seconds ago."""
    return time.time() - created > max_age


def read_entry(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Entry:
    """The entry that these two blobs make.

    Raises:
        EntryError: it is none, or not one that this version understands.
    """
    try:
        data = json.loads(manifest["annotations"][_ANNOTATION])
        _check_version(data["version"])
        layers = _read_layers(manifest["layers"], config["rootfs"]["diff_ids"], data["sizes"])
        entry = Entry(
            base=tuple(map(str, data["base"])),
            keys={str(key): int(count) for key, count in data["keys"].items()},
            layers=layers,
            history=tuple(_read_history(one) for one in config["history"]),
            created=created_at(manifest),
            platform=(
                str(config["architecture"]),
                str(config["os"]),
                str(config.get("variant", "")),
            ),
        )
    except EntryError:
        raise
    except _UNREADABLE as error:
        raise EntryError(_OTHER) from error
    _check(entry)
    return entry


def _check_version(found: object) -> None:
    if found != _VERSION:
        raise EntryError(f"its format is version {found!r}, not {_VERSION}")


def _read_layers(
    described: Sequence[Mapping[str, Any]], diff_ids: Sequence[str], sizes: Sequence[int]
) -> tuple[EntryLayer, ...]:
    found = []
    for one, diff_id, size in zip(described, diff_ids, sizes, strict=True):
        if one["mediaType"] != _LAYER_TYPE or one.get("urls"):
            raise EntryError(f"a layer is of the type {one['mediaType']!r}")
        found.append(
            EntryLayer(_digest(diff_id), int(size), _digest(one["digest"]), int(one["size"]))
        )
    return tuple(found)


def _digest(text: object) -> str:
    found = str(text)
    algorithm, _, value = found.partition(":")
    if algorithm != "sha256" or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise EntryError("a layer has no sha256 digest")
    return found


def _read_history(found: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        created_by=str(found.get("created_by", "")),
        created=str(found["created"]),
        comment=str(found.get("comment", "")),
        author=str(found.get("author", "")),
    )


def _check(entry: Entry) -> None:
    count = len(entry.layers)
    if not 0 < len(entry.base) + count <= MOST_LAYERS or not count:
        raise EntryError(f"it has {len(entry.base) + count} layers, and {MOST_LAYERS} are the most")
    if len(entry.history) != count:
        raise EntryError("its history does not fit its layers")
    if not all(map(_KEY.fullmatch, entry.keys)):
        raise EntryError("it has keys that are none of this cache")
    if not entry.keys or max(entry.keys.values()) != count or min(entry.keys.values()) < 1:
        raise EntryError("its keys do not fit its layers")
    if any(one.size < 0 or one.compressed < 0 for one in entry.layers):
        raise EntryError("a layer has a negative size")


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    return moment.isoformat().replace("+00:00", "Z")


def created_at(manifest: Mapping[str, Any]) -> float:
    """When an entry was made, in seconds since the epoch.

    Raises:
        EntryError: its manifest does not say it.
    """
    try:
        text = manifest["annotations"][_CREATED]
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except _UNREADABLE as error:
        raise EntryError(_OTHER) from error
