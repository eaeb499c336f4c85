"""What a command may leave in the store if it is killed: noted before it is given."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_zlayer.buildah.agent.layers import imported_layers
from pytest_zlayer.buildah.agent.records import Unreadable
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.lazy import late_pattern

Traces = Mapping[str, Any]

_COPYING = late_pattern(r"Copying (blob|config) (sha256:[0-9a-f]{64})")


def of_from(commander: Commander, image: str) -> Traces:
    """Of making a working container: the layer it writes to, whose id nobody knows before."""
    above = "" if image == "scratch" else _top_layer(commander, image)
    return {} if above is None else {"above": above, "since": time.time()}


def _top_layer(commander: Commander, image: str) -> str | None:
    try:
        found = commander.records.called("images", (image, f"{image}:latest"))
    except Unreadable:
        return None
    return str(found[0].get("layer") or "") if found else None


def of_import(config: Mapping[str, Any]) -> Traces:
    """Of putting an image with this configuration document into the store: all its layers."""
    return _of(imported_layers(config.get("rootfs", {}).get("diff_ids") or ()))


class Arrivals:
    """What a pull has put into the store so far, noted as buildah tells of it.

    The ids of layers cannot be known before; the digests of what they are made of are printed
    before each is fetched.
    """

    def __init__(self, commander: Commander) -> None:
        self._commander = commander
        self._since = time.time()
        self._blobs: list[str] = []
        self._image: str | None = None
        self.noted: str | None = None

    def watch(self, line: str) -> None:
        """Takes a line that buildah has printed."""
        match = _COPYING.match(line)
        if match is None:
            return
        what, digest = match.groups()
        if what == "config":
            self._image = self._unless_stored(digest.partition(":")[2])
        else:
            self._blobs.append(digest)
        arrived = {"blobs": self._blobs, "image": self._image, "since": self._since}
        self.noted = self._commander.runner.note_traces(arrived, self.noted)

    def _unless_stored(self, image: str) -> str | None:
        """An image that was there before, even without a name, must stay."""
        try:
            stored = self._commander.records.called("images", [image])
        except Unreadable:
            return None
        return None if stored else image


def of_removed_images(commander: Commander, references: Sequence[str]) -> Traces:
    """Of removing images: the layers they alone may have needed."""
    try:
        return _of(commander.records.chains_of(references))
    except Unreadable:
        return {}


def of_removed_containers(commander: Commander, names: Sequence[str]) -> Traces:
    """Of removing working containers: the layers they wrote to."""
    try:
        return _of(commander.records.layers_of(names))
    except Unreadable:
        return {}


def _of(layers: Sequence[str]) -> Traces:
    return {"layers": list(layers)} if layers else {}
