"""The ``ps`` and ``prune`` verbs: what this package has in a store."""

from __future__ import annotations

import math
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from pytest_zlayer.builder.cache.cache_mounts import mount_entries, shrink_mounts
from pytest_zlayer.builder.cache.entries import REPOSITORY
from pytest_zlayer.builder.cache.shrink import shrink
from pytest_zlayer.builder.image.kept import KEPT_CONTAINER, KEPT_REPOSITORY
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.session.resources import SessionResources
from pytest_zlayer.dataclass import dataclass

_SESSIONS = "localhost/zlayer/"
_WORKING = "zl-"

ItemKind = Literal[
    "cache",
    "cache mount",
    "remote layers",
    "kept image",
    "kept container",
    "session image",
    "session container",
    "dead session",
]


@dataclass(frozen=True, slots=True)
class StoreItem:
    """One thing that this package has in the store.

    Attributes:
        kind: what it is; session things belong to a session that lives, or died uncleanly. A dead
            session is one that not everything could be removed of.
        name: its name in the store; of a dead session the file that tells of it.
        id: its id.
        size: bytes (the whole image, shared layers included); 0 for containers.
        age: seconds since it was last used or made; ``None`` when unknown.
        problem: of a dead session why something of it is left, a line each.
    """

    kind: ItemKind
    name: str
    id: str
    size: int = 0
    age: float | None = None
    problem: str = ""


def list_store(options: BuildOptions) -> list[StoreItem]:
    """Everything that this package has in the store, cached layers last."""
    with _opened(options) as resources:
        return list(_items(resources))


def prune(
    options: BuildOptions,
    *,
    cache: bool = False,
    cache_mounts: bool = False,
    kept: bool = False,
    everything: bool = False,
) -> list[StoreItem]:
    """Remove what was listed; what dead sessions left goes in any case.

    Args:
        options: settings (storage, limits of the cache).
        cache: all cached layers that no living session may be using; otherwise only those beyond
            the limits.
        cache_mounts: what RUN cache mounts hold; otherwise only that beyond the limits.
        kept: what ``--zlayer-keep`` left.
        everything: all of these.

    Returns:
        What was removed.
    """
    with _opened(options) as resources:
        before = list(_items(resources))
        # First, as it works on a full disk too.
        every = cache_mounts or everything
        shrink_mounts(
            resources.cache.mounts_directory,
            resources.engine.process,
            max_age=0.0 if every else options.cache_max_age,
            max_size=0 if every else options.cache_max_size,
            others_began=resources.cache.others_began(),
        )
        if kept or everything:
            _remove_kept(resources, before)
        resources.cache.remove_added()
        if cache or everything:
            shrink(resources.cache, max_age=-math.inf, max_size=sys.maxsize)
        shrink(resources.cache, options.cache_max_age, options.cache_max_size)
        after = {(item.kind, item.name) for item in _items(resources)}
        return [item for item in before if (item.kind, item.name) not in after]


def _remove_kept(resources: SessionResources, items: list[StoreItem]) -> None:
    containers = [item.name for item in items if item.kind == "kept container"]
    images = [item.name for item in items if item.kind == "kept image"]
    if containers:
        resources.engine.remove_containers(*containers)
    if images:
        resources.engine.images.remove(*images)


@contextmanager
def _opened(options: BuildOptions) -> Iterator[SessionResources]:
    """A resources for the length of a ``with`` block."""
    resources = SessionResources(replace(options, worker="prune"), secrets.token_hex(6))
    try:
        yield resources
    finally:
        resources.close()


def _items(resources: SessionResources) -> Iterator[StoreItem]:
    for swept in resources.engine.swept():
        if swept.problems:
            journal = str(swept.journal)
            yield StoreItem("dead session", journal, "", problem="\n".join(swept.problems))
    for container in resources.engine.containers():
        if container.name.startswith(KEPT_CONTAINER):
            yield StoreItem("kept container", container.name, container.id)
        elif container.name.startswith(_WORKING):
            yield StoreItem("session container", container.name, container.id)
    for image in resources.engine.images.all():
        for name in image.names:
            if name.startswith(f"{KEPT_REPOSITORY}:"):
                yield StoreItem("kept image", name, image.id, image.size)
            elif name.startswith(_SESSIONS) and not name.startswith(f"{REPOSITORY}:"):
                yield StoreItem("session image", name, image.id, image.size)
    now = time.time()
    for mount in mount_entries(resources.cache.mounts_directory):
        yield StoreItem("cache mount", str(mount.path), "", mount.size, now - mount.used)
    for entry in resources.cache.entries():
        name = f"{REPOSITORY}:{entry.key}"
        yield StoreItem("cache", name, entry.image_id, entry.size, now - entry.used)
