"""A directory as a cache place: an OCI layout that several processes may write at once."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock

from pytest_zlayer.builder.oci.layout import digest_of
from pytest_zlayer.builder.remote.blobs import replacing
from pytest_zlayer.builder.remote.entry import (
    MANIFEST_TYPE,
    Entry,
    EntryError,
    config_digest,
    created_at,
    descriptor,
    of_manifest,
    read_entry,
    refuse_old,
)
from pytest_zlayer.builder.remote.place import Fetched, PlaceError, ReadOnlyPlace
from pytest_zlayer.builder.remote.trace import Trace, read_trace

_REF = "org.opencontainers.image.ref.name"
_LOCK = ".zlayer.lock"
_LAYOUT = '{"imageLayoutVersion":"1.0.0"}'
# Seconds that others may hold the index: it is read and written in a moment.
_PATIENCE = 30.0
# Bytes of what describes an image, and of what lists all images; more is not read.
_MOST = 16_000_000
_MOST_OF_INDEX = 4 * _MOST


class DirectoryCache:
    """Entries in an OCI layout directory.

    ``skopeo copy oci:DIRECTORY:KEY docker://REPOSITORY:KEY`` moves one to a registry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blobs = path / "blobs" / "sha256"

    def keys(self) -> frozenset[str]:
        """The keys it has entries for."""
        return frozenset(self._tags())

    def fetch(self, key: str, max_age: float = math.inf) -> Fetched | None:
        """The entry of ``key``; its blobs stay where they are."""
        digest = self._tags().get(key)
        if digest is None:
            return None
        with of_manifest(digest):
            manifest = self._read_json(digest)
            refuse_old(manifest, max_age)
            entry = read_entry(manifest, self._read_json(config_digest(manifest)))
        return Fetched(entry, digest, self._blobs)

    def trace(self, tag: str) -> Trace | None:
        """What the entry of a tag was made from."""
        digest = self._tags().get(tag)
        return None if digest is None else read_trace(self._read_json(digest))

    def created(self, key: str) -> float | None:
        """When the entry of ``key`` was made."""
        digest = self._tags().get(key)
        return None if digest is None else created_at(self._read_json(digest))

    def send(
        self, entry: Entry, blobs: Path, keys: Sequence[str], check: Callable[[], None]
    ) -> int:
        """Store an entry; bytes that were new."""
        sent = 0
        with _translated():
            self._blobs.mkdir(parents=True, exist_ok=True)
            for digest in dict.fromkeys(one.digest[7:] for one in entry.layers):
                check()
                sent += self._add_file(blobs / digest, self._blobs / digest)
            for data in (entry.config(), entry.manifest()):
                sent += self._add(data)
            with self._changing() as index:
                _name(index, descriptor(MANIFEST_TYPE, entry.manifest()), keys)
        return sent

    def refresh(self, key: str, keys: Sequence[str]) -> None:
        """Nothing: age counts from when an entry was made."""

    def prune(self, max_age: float) -> tuple[int, int]:
        """Remove entries older than this many seconds; how many keys, and how many bytes."""
        before = time.time() - max_age
        with _translated(), self._changing() as index:
            kept = [one for one in index["manifests"] if self._is_younger(one, before)]
            removed = len(index["manifests"]) - len(kept)
            index["manifests"] = kept
            needed = self._needed(kept)
            return removed, sum(self._remove(file) for file in self._unneeded(needed))

    def _is_younger(self, one: Mapping[str, Any], moment: float) -> bool:
        try:
            manifest = self._read_json(str(one["digest"]))
            entry = read_entry(manifest, self._read_json(config_digest(manifest)))
        except (EntryError, KeyError):
            return False  # nobody can use it
        return entry.created >= moment

    def _needed(self, manifests: Sequence[Mapping[str, Any]]) -> set[str]:
        needed: set[str] = set()
        for one in manifests:
            manifest = self._read_json(str(one["digest"]))
            needed |= {str(one["digest"])[7:], config_digest(manifest)[7:]}
            needed |= {str(layer["digest"])[7:] for layer in manifest["layers"]}
        return needed

    def _unneeded(self, needed: set[str]) -> Iterator[Path]:
        # Who writes an entry stores its blobs first: what is as young as that stays.
        # By the clock of the file system: another machine may have written it.
        lock = self.path / _LOCK
        lock.touch()
        moment = lock.stat().st_mtime - 3600
        for file in sorted(self._blobs.iterdir()):
            if file.name not in needed and file.stat().st_mtime < moment:
                yield file

    @staticmethod
    def _remove(file: Path) -> int:
        size = file.stat().st_size
        file.unlink(missing_ok=True)
        return size

    def _tags(self) -> dict[str, str]:
        with _translated():
            found = ((_tag(one), one.get("digest")) for one in self._index()["manifests"])
            return {tag: str(digest) for tag, digest in found if tag and digest}

    def _index(self) -> dict[str, Any]:
        try:
            with (self.path / "index.json").open("rb") as file:
                text = file.read(_MOST_OF_INDEX + 1)
        except FileNotFoundError:
            return {"schemaVersion": 2, "manifests": []}
        if len(text) > _MOST_OF_INDEX:
            raise PlaceError(f"its index.json has more than {_MOST_OF_INDEX} bytes")
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            found = json.loads(text)
            if all(isinstance(one, dict) for one in found["manifests"]):
                return dict(found)
        raise PlaceError("its index.json is not that of an OCI layout")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The index under a lock; what it is at the end takes the place of the old one."""
        lock = filelock.FileLock(self.path / _LOCK, timeout=_PATIENCE)
        with lock:
            index = self._index()
            yield index
            (self.path / "oci-layout").write_text(_LAYOUT, encoding="ascii")
            with replacing(self.path / "index.json") as new:
                new.write_text(json.dumps(index), encoding="ascii")

    def _read_json(self, digest: str) -> dict[str, Any]:
        name = digest.removeprefix("sha256:")
        if len(name) != 64 or not name.isalnum():
            raise EntryError("it names a blob without a sha256 digest")
        try:
            with (self._blobs / name).open("rb") as file:
                data = file.read(_MOST + 1)
        except OSError as error:
            raise EntryError(f"a blob of it cannot be read: {error.strerror}") from error
        if len(data) > _MOST or digest_of(data)[7:] != name:
            raise EntryError("a blob of it is damaged")
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise EntryError("a blob of it is not JSON")
        return found

    def _add(self, data: bytes) -> int:
        target = self._blobs / digest_of(data)[7:]
        if target.exists():
            return 0
        with replacing(target) as new:
            new.write_bytes(data)
        return len(data)

    @staticmethod
    def _add_file(source: Path, target: Path) -> int:
        size = source.stat().st_size
        if target.exists() and target.stat().st_size == size:
            os.utime(target)  # it is needed again: nobody is to take it for a leftover
            return 0
        with replacing(target) as new:
            shutil.copyfile(source, new)
        return size


def _tag(one: Mapping[str, Any]) -> str | None:
    """What a manifest of an index is called."""
    annotations = one.get("annotations")
    found = annotations.get(_REF) if isinstance(annotations, dict) else None
    return found if isinstance(found, str) else None


def _name(index: dict[str, Any], manifest: Mapping[str, Any], keys: Sequence[str]) -> None:
    others = [one for one in index["manifests"] if _tag(one) not in keys]
    named = [{**manifest, "annotations": {_REF: key}} for key in keys]
    index["manifests"] = [*others, *named]


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except filelock.Timeout:
        raise PlaceError("another process keeps its index locked") from None
    except (PermissionError, OSError) as error:
        kind = ReadOnlyPlace if error.errno in (1, 13, 30) else PlaceError
        raise kind(error.strerror or str(error)) from error
