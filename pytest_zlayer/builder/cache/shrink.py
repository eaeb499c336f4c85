"""Removing cached layers that are too old or too many."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from pytest_zlayer.builder.cache.entries import CacheEntry
from pytest_zlayer.builder.cache.layer_cache import LayerCache


def shrink(cache: LayerCache, max_age: float, max_size: int) -> list[CacheEntry]:
    """Remove layers by age, then by size; the removed entries.

    Args:
        cache: the layer cache.
        max_age: seconds without use after which a layer goes; ``-math.inf``: all of them go.
        max_size: bytes that may stay; the least recently used go first. What was used since the
            oldest other living session began stays in any case: it may count on it.
    """
    entries, now = cache.entries(), time.time()
    cache.tidy(entries, max_age)
    free = min(cache.others_began(), default=math.inf)
    total = _bytes(cache, entries, max_size)
    removed: list[CacheEntry] = []
    for entry in entries:
        if total <= max_size and now - entry.used <= max_age:
            continue
        if entry.used < free and cache.remove(entry):
            removed.append(entry)
            if total > max_size:
                left = [one for one in entries if one not in removed]
                total = _bytes(cache, left, max_size)
    return removed


def _bytes(cache: LayerCache, entries: Sequence[CacheEntry], enough: int) -> int:
    """Bytes of all layers, shared ones once; an upper bound where that is little enough."""
    bound = sum(entry.size for entry in entries)
    if bound <= enough:
        return bound
    layers: dict[str, int] = {}
    for entry in entries:
        layers.update(cache.layer_sizes(entry))
    return sum(layers.values())
