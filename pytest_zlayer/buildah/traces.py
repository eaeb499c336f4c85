"""What a command may leave in the store if it is killed: noted before it is given."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_zlayer.buildah.agent.layers import Records, Unreadable, imported_layers

Traces = Mapping[str, Any]


def of_from(options: Sequence[str], image: str) -> Traces:
    """Of making a working container: the layer it writes to, whose id nobody knows before."""
    above = "" if image == "scratch" else _top_layer(options, image)
    return {} if above is None else {"above": above, "since": time.time()}


def _top_layer(options: Sequence[str], image: str) -> str | None:
    try:
        found = Records.named_by(options).called("images", (image, f"{image}:latest"))
    except Unreadable:
        return None
    return str(found[0].get("layer") or "") if found else None


def of_import(config: Mapping[str, Any]) -> Traces:
    """Of putting an image with this configuration document into the store: all its layers."""
    return _of(imported_layers(config.get("rootfs", {}).get("diff_ids") or ()))


def of_removed_images(options: Sequence[str], references: Sequence[str]) -> Traces:
    """Of removing images: the layers they alone may have needed."""
    try:
        return _of(Records.named_by(options).chains_of(references))
    except Unreadable:
        return {}


def of_removed_containers(options: Sequence[str], names: Sequence[str]) -> Traces:
    """Of removing working containers: the layers they wrote to."""
    try:
        return _of(Records.named_by(options).layers_of(names))
    except Unreadable:
        return {}


def _of(layers: Sequence[str]) -> Traces:
    return {"layers": list(layers)} if layers else {}
