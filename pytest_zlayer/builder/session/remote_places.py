"""``ps`` and ``prune`` with ``--remote``: the entries of a cache place."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pytest_zlayer.buildah.commands.skopeo import SkopeoMissing
from pytest_zlayer.builder.model.cache_place import CachePlace, DirectoryPlace
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.remote.directory import DirectoryCache
from pytest_zlayer.builder.remote.entry import Entry, EntryError
from pytest_zlayer.builder.remote.place import BusyPlace, PlaceError
from pytest_zlayer.builder.remote.registry import RegistryCache
from pytest_zlayer.builder.remote.remote_cache import registry_cache
from pytest_zlayer.builder.session.prune import StoreItem
from pytest_zlayer.builder.session.resources import SessionResources
from pytest_zlayer.errors import UsageError, ZlayerError


def list_place(options: BuildOptions, place: CachePlace) -> list[StoreItem]:
    """The entries of a place, one item a key.

    Raises:
        ZlayerError: the place cannot be used.
    """
    with _opened(options, place) as found:
        return [_item(key, _described(found, key)) for key in sorted(found.keys())]


def prune_place(options: BuildOptions, place: CachePlace, max_age: float) -> list[StoreItem]:
    """Remove entries that were made more than ``max_age`` seconds ago; what was removed.

    In a directory, layers that no entry needs go with them. A registry frees their space when it
    next collects garbage.

    Raises:
        ZlayerError: the place cannot be used.
    """
    with _opened(options, place) as found:
        items = [_item(key, _described(found, key)) for key in sorted(found.keys())]
        old = [one for one in items if one.age is None or one.age > max_age]
        if isinstance(found, RegistryCache):
            for one in old:
                found.delete(one.name)
        else:
            found.prune(max_age)
        return old


def _described(place: DirectoryCache | RegistryCache, key: str) -> Entry | None:
    """An entry without its layers; ``None`` where nobody can use it."""
    try:
        if isinstance(place, RegistryCache):
            return place.describe(key)
        fetched = place.fetch(key)
    except EntryError:
        return None
    return fetched.entry if fetched else None


def _item(key: str, entry: Entry | None) -> StoreItem:
    if entry is None:
        return StoreItem("remote layers", key, key)
    age = time.time() - entry.created
    return StoreItem("remote layers", key, key, size=entry.compressed, age=age)


@contextmanager
def _opened(options: BuildOptions, place: CachePlace) -> Iterator[DirectoryCache | RegistryCache]:
    try:
        if isinstance(place, DirectoryPlace):
            if not place.path.is_dir():
                raise UsageError(f"cache place {place}: there is no such directory")
            yield DirectoryCache(place.path)
            return
        session = secrets.token_hex(6)
        resources = SessionResources(replace(options, session_id=session), session)
        try:
            scratch = resources.scratch / "remote"
            yield registry_cache(place.repository, resources.engine, options, scratch)
        finally:
            resources.close()
    except SkopeoMissing:
        message = f"cache place {place}: skopeo is not installed"
        raise UsageError(message, hint="install the package skopeo") from None
    except (PlaceError, BusyPlace) as error:
        raise ZlayerError(f"cache place {place}: {error}") from error
