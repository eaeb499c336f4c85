"""What the tests of copying share: operations, trees on disk, layers as plain values."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.files.rootfs import LocalRootfs, Rootfs
from pytest_zlayer.builder.copy import layout, resolve_owner, select
from pytest_zlayer.builder.files.directory import ContextRootfs
from pytest_zlayer.builder.oci.layer import LayerEntry, write_layer
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation

NOW = 1_700_000_000


def copy(*words: str, kind: Any = "COPY", **fields: Any) -> CopyOperation:
    """A COPY (or ADD) of all words but the last to the last."""
    *sources, destination = words
    fields.setdefault("files", ())
    return CopyOperation(
        instruction=None,  # type: ignore[arg-type]
        kind=kind,
        sources=tuple(sources),
        destination=destination,
        **fields,
    )


def add(*words: str, **fields: Any) -> CopyOperation:
    """An ADD of all words but the last to the last."""
    return copy(*words, kind="ADD", **fields)


def make_tree(root: Path, files: Mapping[str, str | None] | Sequence[str]) -> Path:
    """Files with content below ``root``; a name that ends with ``/`` is a directory."""
    root.mkdir(parents=True, exist_ok=True)
    items = files.items() if isinstance(files, Mapping) else ((name, name) for name in files)
    for name, content in items:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None and content.startswith("-> "):
            path.symlink_to(content[3:])
        else:
            path.write_text(content or "")
    return root


def lay(
    operation: CopyOperation,
    context: Path | Rootfs,
    target: Path | Rootfs,
    ignore: str | None = None,
    **options: Any,
) -> tuple[LayerEntry, ...]:
    """The layer of an operation."""
    source = ContextRootfs(context) if isinstance(context, Path) else context
    image = LocalRootfs(target) if isinstance(target, Path) else target
    rules = IgnoreRules.parse(ignore) if ignore is not None else None
    selection = select(operation, source, ignore=rules, **options)
    owner = resolve_owner(operation.chown, image)
    return layout(selection, operation, image, owner=owner, now=NOW)


def paths(layer: Sequence[LayerEntry]) -> list[str]:
    """The paths in a layer, directories with a trailing slash."""
    return [entry.path + "/" * (entry.kind == "directory") for entry in layer]


def files(layer: Sequence[LayerEntry]) -> dict[str, str]:
    """Content of every file of a layer; links as ``-> target``, hard links as ``= target``."""
    found: dict[str, str] = {}
    for entry in layer:
        if entry.kind == "file" and entry.content is not None:
            with entry.content.open() as file:
                found[entry.path] = file.read().decode("utf-8", "surrogateescape")
        elif entry.kind == "symlink":
            found[entry.path] = f"-> {entry.target}"
        elif entry.kind == "hardlink":
            found[entry.path] = f"= {entry.target}"
    return found


def at(layer: Sequence[LayerEntry], path: str) -> LayerEntry:
    """The entry at a path."""
    return next(entry for entry in layer if entry.path == path)


def members(layer: Sequence[LayerEntry], directory: Path, **options: Any) -> list[tarfile.TarInfo]:
    """What ``tarfile`` reads in the written layer."""
    blob = write_layer(layer, directory, **options)
    with tarfile.open(blob.path, encoding="utf-8", errors="surrogateescape") as archive:
        return archive.getmembers()


am_root = os.geteuid() == 0
