"""Layers that killed commands of this project have left: found here, deleted by the storage.

A command that is killed between writing a layer and recording what needs it leaves a layer that no
command of buildah shows or removes. The storage does remove, the next time it is opened, layers
whose flag says that they were not finished. So an orphaned layer is given that flag, under the
storage's own locks, as if its writer had been killed a moment earlier.

This is the only place that writes to the records of the storage. A record with a field that is not
listed here comes from a version nobody has looked at: then nothing is written.
"""

from __future__ import annotations

import calendar
import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .ownlocks import locked
from .records import Record, Records, StorageOptions, Unreadable, read

_INCOMPLETE = "incomplete"
# Bytes of the mark by which the storage's lock files tell readers that something has changed.
_MARK = 64
# Seconds that clocks of file systems and processes may differ.
_SLACK = 1.0

_BIG_DATA = {"big-data-names", "big-data-sizes", "big-data-digests"}
# The fields of containers/storage as buildah 1.28 to 1.39 have it. A new one may say that something
# else needs a layer.
_KNOWN_FIELDS = {
    "layers": {
        "id", "names", "parent", "metadata", "mountlabel", "created", "compressed-diff-digest",
        "compressed-size", "diff-digest", "diff-size", "toc-digest", "compression", "uidset",
        "gidset", "flags", "uidmap", "gidmap", *_BIG_DATA,
    },
    "images": {
        "id", "digest", "names", "names-history", "layer", "mapped-layers", "metadata", "created",
        "readonly", "flags", *_BIG_DATA,
    },
    "containers": {
        "id", "names", "image", "layer", "metadata", "created", "uidmap", "gidmap", "flags",
        *_BIG_DATA,
    },
}  # fmt: skip


class UnknownLayout(Unreadable):
    """The records are those of a version of the storage that nobody has looked at."""


@dataclass(slots=True)
class Traces:
    """What a command may leave behind if it is killed.

    Attributes:
        layers: ids of layers it makes, or that it takes the last need away from.
        above: what a working container's layer is made on: an id, or empty for ``scratch``.
        blobs: digests of what it gets from elsewhere and makes layers of.
        image: id of an image it stores some moments before it names it.
        since: when it began, in seconds since the epoch.
    """

    layers: Sequence[str] = ()
    above: str | None = None
    blobs: Sequence[str] = ()
    image: str | None = None
    since: float = 0.0


def imported_layers(diffs: Sequence[str]) -> list[str]:
    """The ids that layers get which are pulled: each stands for all the changes up to it."""
    found: list[str] = []
    for digest in diffs:
        identifier = digest.partition(":")[2]
        if found:
            both = f"{found[-1]}+{identifier}"
            identifier = hashlib.sha256(both.encode("ascii")).hexdigest()
        found.append(identifier)
    return found


def has_unfinished(records: Records) -> bool:
    """Whether the storage deletes a layer the next time it is opened."""
    return any(_is_unfinished(layer) for layer in records.all("layers"))


def _is_unfinished(layer: Record) -> bool:
    return bool((layer.get("flags") or {}).get(_INCOMPLETE))


def unneeded(records: Records, traces: Sequence[Traces]) -> str | None:
    """A whole layer that these commands may have left and that nothing needs; ``None`` if none.

    The records must not change meanwhile. buildah records a working container under the same
    lock as its layer, so such a layer without a container has been left. A layer of an image is
    recorded some moments before the image is, which is why only known ones are looked for.
    """
    needed = {one.get("parent") for one in records.all("layers")}
    needed |= {one.get("layer") for one in records.all("containers")}
    for image in records.all("images"):
        needed |= {image.get("layer"), *(image.get("mapped-layers") or ())}
    known = {layer for one in traces for layer in one.layers}
    for layer in records.all("layers"):
        if layer["id"] in needed or _is_unfinished(layer):
            continue
        if layer["id"] in known or any(_is_left_by(one, layer) for one in traces):
            return str(layer["id"])
    return None


def _is_left_by(traces: Traces, layer: Record) -> bool:
    if _seconds(layer.get("created")) < traces.since - _SLACK:
        return False
    digests = {layer.get("diff-digest"), layer.get("compressed-diff-digest")} - {None, ""}
    if digests:
        return not digests.isdisjoint(traces.blobs)
    return traces.above is not None and (layer.get("parent") or "") == traces.above


def _seconds(created: object) -> float:
    try:
        return float(calendar.timegm(time.strptime(str(created)[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0.0


def give_up_one(storage: StorageOptions, traces: Sequence[Traces]) -> list[str]:
    """Marks one orphaned layer as unfinished; its id and those of all below it, if any.

    The next command that opens the storage deletes it. One at a time: buildah 1.28 fails when
    it has to delete several.

    Raises:
        Unreadable: the records are not as expected.
        UnknownLayout: they are those of an unknown version.
        OSError: a lock was not to be had, or nothing can be written.
    """
    records = Records(storage)
    with contextlib.ExitStack() as held:
        # In the order in which the storage itself takes them.
        lock = held.enter_context(_locked(records, "layers", fcntl.LOCK_EX))
        held.enter_context(_locked(records, "images", fcntl.LOCK_SH))
        held.enter_context(_locked(records, "containers", fcntl.LOCK_SH))
        layer = unneeded(records, traces)
        if layer is None:
            return []
        check_layout(records)
        file = next(one for one in records.files("layers") if layer in _ids(one))
        _mark_incomplete(file, layer)
        os.pwrite(lock, os.urandom(_MARK), 0)
    return records.chain(layer)


def check_layout(records: Records) -> None:
    """Makes sure that every field of every record is known.

    Raises:
        UnknownLayout: one is not; it says which.
    """
    for kind, known in _KNOWN_FIELDS.items():
        unknown = {name for one in records.all(kind) for name in one} - known
        if unknown:
            names = ", ".join(map(repr, sorted(unknown)))
            raise UnknownLayout(
                f"the storage {records.storage.root} has {kind} with the unknown field {names}; "
                "its layers are left as they are"
            )


def _ids(file: str) -> set[str]:
    return {one["id"] for one in read(file)}


def _mark_incomplete(file: str, layer: str) -> None:
    found = read(file)
    for one in found:
        if one["id"] == layer:
            one["flags"] = {**(one.get("flags") or {}), _INCOMPLETE: True}
    unnamed = os.path.join(os.path.dirname(file), f".tmp-{os.path.basename(file)}{os.getpid()}")
    descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(json.dumps(found, separators=(",", ":")).encode("ascii"))
            opened.flush()
            os.fsync(opened.fileno())
        os.rename(unnamed, file)
    except BaseException:
        os.unlink(unnamed)
        raise


def _locked(records: Records, kind: str, how: int) -> contextlib.AbstractContextManager[int]:
    """Holds one of the storage's locks; its descriptor. They are locks of the POSIX kind.

    Raises:
        UnknownLayout: the storage has no such lock.
    """
    file = os.path.join(records.folder(kind), f"{kind}.lock")
    if not os.path.isfile(file):
        raise UnknownLayout(f"the storage {records.storage.root} has no {kind}.lock")
    return locked(file, how, fcntl.lockf)
