"""Layers that no image and no container needs: which may be ours, and how they are given up.

A command that is killed between writing a layer and recording what needs it leaves a layer that no
command of buildah shows or removes. The storage does remove, the next time it is opened, layers
whose flag says that they were not finished. So a layer of ours that was left is given that flag,
under the storage's own locks, as if its writer had been killed a moment earlier.
"""

from __future__ import annotations

import calendar
import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from .filelocks import locked

Record = dict[str, Any]

_INCOMPLETE = "incomplete"
# Bytes of the mark by which the storage's lock files tell readers that something has changed.
_MARK = 64
# Seconds that clocks of file systems and processes may differ.
_SLACK = 1.0


class Unreadable(Exception):
    """The storage's records are not as expected, so nothing is concluded from them."""


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


@dataclass(slots=True)
class Records:
    """The records of a storage as they are at one moment."""

    root: str
    runroot: str
    driver: str
    _read: dict[str, list[Record]] = field(default_factory=dict)

    @classmethod
    def named_by(cls, options: Sequence[str]) -> Records:
        """The storage that these global options of buildah name.

        Raises:
            Unreadable: they do not name it.
        """
        named = dict(zip(options[::2], options[1::2], strict=False))
        try:
            return cls(named["--root"], named["--runroot"], named["--storage-driver"])
        except KeyError as error:
            raise Unreadable(f"no {error}") from error

    def folder(self, kind: str, base: str = "") -> str:
        """Where ``layers``, ``images`` or ``containers`` are recorded."""
        return os.path.join(base or self.root, f"{self.driver}-{kind}")

    def files(self, kind: str) -> list[str]:
        """The files that record them; newer versions keep some where a reboot loses them."""
        places = [
            os.path.join(self.folder(kind), f"{kind}.json"),
            os.path.join(self.folder(kind), f"volatile-{kind}.json"),
            os.path.join(self.folder(kind, self.runroot), f"{kind}.json"),
            os.path.join(self.folder(kind, self.runroot), f"volatile-{kind}.json"),
        ]
        return [place for place in places if os.path.exists(place)]

    def all(self, kind: str) -> list[Record]:
        """Every record of a kind.

        Raises:
            Unreadable: a file cannot be read, or holds something else.
        """
        if kind not in self._read:
            self._read[kind] = [one for file in self.files(kind) for one in read(file)]
        return self._read[kind]

    def called(self, kind: str, references: Collection[str]) -> list[Record]:
        """Images or containers, given by id or full name."""
        return [
            one
            for one in self.all(kind)
            if one["id"] in references or not set(one.get("names") or ()).isdisjoint(references)
        ]

    def chain(self, top: str) -> list[str]:
        """A layer and all below it, topmost first."""
        parents = {one["id"]: one.get("parent") or "" for one in self.all("layers")}
        found: list[str] = []
        while top and top not in found:
            found.append(top)
            top = parents.get(top, "")
        return found

    def chains_of(self, references: Sequence[str]) -> list[str]:
        """The layers of these images, given by id or full name."""
        tops = [one.get("layer") or "" for one in self.called("images", references)]
        return list(dict.fromkeys(layer for top in tops for layer in self.chain(top)))

    def layers_of(self, containers: Sequence[str]) -> list[str]:
        """The layers that these containers, given by id or name, write to."""
        found = self.called("containers", containers)
        return [one["layer"] for one in found if one.get("layer")]


def read(file: str) -> list[Record]:
    """The records in one file of the storage.

    Raises:
        Unreadable: it holds something else.
    """
    try:
        with open(file, "rb") as opened:
            content = opened.read()
        found = [dict(one) for one in json.loads(content or b"[]") or ()]
    except (OSError, ValueError, TypeError) as error:
        raise Unreadable(f"{file}: {error}") from error
    if not all(isinstance(one.get("id"), str) for one in found):
        raise Unreadable(f"{file}: records without id")
    return found


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


def give_up_one(options: Sequence[str], traces: Sequence[Traces]) -> list[str]:
    """Marks one layer that was left as unfinished; its id and those of all below it, if any.

    The next command that opens the storage deletes it. One at a time: buildah 1.28 stumbles when
    it has to delete several.

    Raises:
        Unreadable: the records are not as expected.
        OSError: a lock was not to be had, or nothing can be written.
    """
    records = Records.named_by(options)
    with contextlib.ExitStack() as held:
        # In the order in which the storage itself takes them.
        lock = held.enter_context(_locked(records, "layers", fcntl.LOCK_EX))
        held.enter_context(_locked(records, "images", fcntl.LOCK_SH))
        held.enter_context(_locked(records, "containers", fcntl.LOCK_SH))
        layer = unneeded(records, traces)
        if layer is not None:
            file = next(one for one in records.files("layers") if layer in _ids(one))
            _mark_incomplete(file, layer)
            os.pwrite(lock, os.urandom(_MARK), 0)
    return [] if layer is None else records.chain(layer)


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
    """Holds one of the storage's locks; its descriptor. They are locks of the POSIX kind."""
    return locked(os.path.join(records.folder(kind), f"{kind}.lock"), how, fcntl.lockf)
