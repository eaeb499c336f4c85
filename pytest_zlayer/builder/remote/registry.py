"""A registry as a cache place: entries are images of one repository, tagged with their keys."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_zlayer.buildah.commands.skopeo import RegistryBusy, Skopeo
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.oci.layout import digest_of
from pytest_zlayer.builder.remote.directory import DirectoryCache
from pytest_zlayer.builder.remote.entry import (
    Entry,
    EntryError,
    config_digest,
    created_at,
    of_manifest,
    read_entry,
    refuse_old,
)
from pytest_zlayer.builder.remote.place import BusyPlace, Fetched, PlaceError, ReadOnlyPlace
from pytest_zlayer.builder.remote.trace import Trace, read_trace
from pytest_zlayer.lazy import late_pattern

_KEY = late_pattern("[0-9a-f]{64}")
# Seconds for questions without layers.
_ANSWER = 15.0
_BUSY = late_pattern(r"toomanyrequests|too many requests|\b429\b|\b50[0234]\b", re.IGNORECASE)
_ABSENT = late_pattern(
    r"name unknown|NAME_UNKNOWN|manifest unknown|repository name not known|404 \(Not Found"
    r"|StatusCode: 404\b|Image may not exist",
    re.IGNORECASE,
)
_DENIED = late_pattern(
    r"unauthorized|authentication required|denied|\b401\b|\b403\b", re.IGNORECASE
)
_IMMUTABLE = late_pattern(r"immutable|ImageTagAlreadyExists|cannot be overwritten", re.IGNORECASE)
# What skopeo says of entries that are not what they say.
_DAMAGED = late_pattern(r"digest|size mismatch|unsupported MIME|invalid character", re.IGNORECASE)
_TOO_LONG = "exceeded maximum allowed size"
_WAIT = late_pattern(r"retry.?after:? (\d+(?:\.\d+)?) ?(ms|milliseconds|µs)?", re.IGNORECASE)
_UNITS: Mapping[str | None, float] = MappingProxyType(
    {None: 1.0, "ms": 1e-3, "milliseconds": 1e-3, "µs": 1e-6}
)


class RegistryCache:
    """Entries in a repository, carried by skopeo.

    Args:
        repository: where they are.
        skopeo: what carries them.
        scratch: a layout directory that all fetches share, so that each blob arrives once.
        limit: seconds one transfer may take, or ``None``.
    """

    def __init__(self, repository: str, skopeo: Skopeo, scratch: Path, limit: float | None) -> None:
        self._repository = repository
        self._skopeo = skopeo
        self._scratch = scratch
        self._limit = limit
        self._described: dict[str, Entry] = {}

    def keys(self) -> frozenset[str]:
        """The keys it has entries for: one request for a list, whatever its length."""
        try:
            tags = self._skopeo.tags(self._repository, timeout=_ANSWER)
        except EngineError as error:
            if _ABSENT.search(_words(error)):
                return frozenset()
            raise _translated(error) from error
        return frozenset(tag for tag in tags if _KEY.fullmatch(tag))

    def fetch(self, key: str, max_age: float = math.inf) -> Fetched | None:
        """The entry of ``key``, its blobs in the shared layout."""
        found = self._manifest(key)
        if found is None:
            return None
        manifest, digest = found
        self._scratch.mkdir(parents=True, exist_ok=True)
        with of_manifest(digest):
            refuse_old(manifest, max_age)
            arrived = self._fetch_blobs(key, digest)
        return DirectoryCache(self._scratch).fetch(key) if arrived else None

    def _fetch_blobs(self, key: str, digest: str) -> bool:
        """Fetch the entry with this manifest into the shared layout; whether it is there."""
        source = f"docker://{self._repository}@{digest}"
        try:
            self._skopeo.copy(source, f"oci:{self._scratch}:{key}", timeout=self._limit)
        except EngineError as error:
            if _ABSENT.search(_words(error)):
                return False
            if error.failure.kind != "timeout" and _DAMAGED.search(_words(error)):
                raise EntryError("it is damaged, or not what it says") from error
            raise _translated(error) from error
        return True

    def trace(self, tag: str) -> Trace | None:
        """What the entry of a tag was made from: its manifest alone is asked for."""
        found = self._manifest(tag)
        return None if found is None else read_trace(found[0])

    def created(self, key: str) -> float | None:
        """When the entry of ``key`` was made: its manifest alone is asked for."""
        found = self._manifest(key)
        return None if found is None else created_at(found[0])

    def describe(self, key: str) -> Entry:
        """The entry of ``key`` without its blobs."""
        found = self._manifest(key)
        if found is None:
            raise EntryError("it is gone")
        manifest, digest = found
        if digest not in self._described:  # by another of its keys
            config_digest(manifest)
            try:
                config = self._skopeo.config(self._name(key), timeout=_ANSWER)
            except EngineError as error:
                raise _translated(error) from error
            self._described[digest] = read_entry(manifest, _json(config))
        return self._described[digest]

    def _manifest(self, tag: str) -> tuple[Mapping[str, Any], str] | None:
        """The manifest of a tag and its digest, ``None`` when it is gone."""
        try:
            found = self._skopeo.manifest(self._name(tag), timeout=_ANSWER)
        except EngineError as error:
            if _ABSENT.search(_words(error)):
                return None
            if _TOO_LONG in _words(error):
                raise EntryError("its manifest is too long") from error
            raise _translated(error) from error
        if found.lstrip().startswith(b"<"):
            raise PlaceError("something other than a registry answered")
        return _json(found), digest_of(found)

    def send(
        self, entry: Entry, blobs: Path, keys: Sequence[str], check: Callable[[], None]
    ) -> int:
        """Store an entry under its keys; the first one carries the layers."""
        layout = blobs.parent.parent
        outgoing = DirectoryCache(layout)
        sent = outgoing.send(entry, blobs, keys, check)
        for key in keys:
            check()
            self._copy(f"oci:{layout}:{key}", key)
        return sent + entry.compressed

    def _copy(self, source: str, key: str) -> None:
        try:
            self._skopeo.copy(source, self._name(key), timeout=self._limit)
        except EngineError as error:
            if _IMMUTABLE.search(_words(error)):
                return  # somebody else has stored it, and it is to stay as it is
            raise _translated(error, writing=True) from error

    def refresh(self, key: str, keys: Sequence[str]) -> None:
        """Put the tags once more; the layers stay where they are."""
        for one in keys:
            self._copy(self._name(key), one)

    def delete(self, key: str) -> None:
        """Remove the entry of ``key``, and with it all other tags that mean the same manifest."""
        try:
            self._skopeo.delete(self._name(key), timeout=_ANSWER)
        except EngineError as error:
            if not _ABSENT.search(_words(error)):  # gone by another tag of it
                raise _translated(error, writing=True) from error

    def _name(self, key: str) -> str:
        return f"docker://{self._repository}:{key}"


def _json(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise EntryError("it is not JSON")
    return found


def _words(error: EngineError) -> str:
    return "\n".join((error.failure.message, *error.stderr))


def _translated(error: EngineError, *, writing: bool = False) -> Exception:
    """What a failure of skopeo means for the place."""
    words = _words(error)
    if error.interrupted:
        return error
    if isinstance(error, RegistryBusy):
        return BusyPlace(error.failure.message, error.seconds)
    if _BUSY.search(words):
        return BusyPlace(error.failure.message, _wait(words))
    if writing and _DENIED.search(words):
        return ReadOnlyPlace(error.failure.message)
    return PlaceError(error.failure.message)


def _wait(words: str) -> float | None:
    found: Any = _WAIT.search(words)
    if found is None:
        return None
    return float(found[1]) * _UNITS[found[2] and found[2].lower()]
