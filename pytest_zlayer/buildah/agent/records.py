"""Reading the records of a container storage: its layers, images and containers."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

# Lists all images. Without ``--all`` buildah 1.28 looks for the children of unnamed ones, and fails
# when it meets a manifest list: any will do beside an unnamed image without layers.
LIST_IMAGES = ("images", "--all", "--json", "--no-trunc")

Record = dict[str, Any]


class Unreadable(Exception):
    """The storage's records are not as expected, so nothing is concluded from them."""


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """What names a storage: the values of buildah's global options for it."""

    root: str
    runroot: str
    driver: str

    def words(self) -> list[str]:
        """The global options that make buildah use exactly this storage."""
        # The driver is pinned: with another one buildah takes the same root for an empty store.
        return [
            "--root", self.root, "--runroot", self.runroot, "--storage-driver", self.driver,
        ]  # fmt: skip


@dataclass(slots=True)
class Records:
    """The records of a storage as they are at one moment: each kind is read once."""

    storage: StorageOptions
    _read: dict[str, list[Record]] = field(default_factory=dict)

    def folder(self, kind: str, base: str = "") -> str:
        """Where ``layers``, ``images`` or ``containers`` are recorded."""
        return os.path.join(base or self.storage.root, f"{self.storage.driver}-{kind}")

    def files(self, kind: str) -> list[str]:
        """The files that record them; newer versions keep some where a reboot loses them."""
        places = [
            os.path.join(self.folder(kind), f"{kind}.json"),
            os.path.join(self.folder(kind), f"volatile-{kind}.json"),
            os.path.join(self.folder(kind, self.storage.runroot), f"{kind}.json"),
            os.path.join(self.folder(kind, self.storage.runroot), f"volatile-{kind}.json"),
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

    def is_list(self, image: Record) -> bool:
        """Whether an image is a manifest list.

        Raises:
            OSError, ValueError, TypeError: its manifest cannot be read, or is something else.
        """
        with open(os.path.join(self.folder("images"), image["id"], "manifest"), "rb") as file:
            return "manifests" in json.load(file)

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
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise Unreadable(f"{file}: {error}") from error
    if not all(isinstance(one.get("id"), str) for one in found):
        raise Unreadable(f"{file}: records without id")
    return found


def unnamed_twins(images: Sequence[dict[str, Any]], identifier: str) -> list[str]:
    """Images without a name that end in the same layer: earlier tries of the same commit."""
    layers = {one["id"]: one.get("layer") for one in images}
    return [
        str(one["id"])
        for one in images
        if one["id"] != identifier
        and not one.get("names")
        and one.get("layer")
        and one.get("layer") == layers.get(identifier)
    ]
