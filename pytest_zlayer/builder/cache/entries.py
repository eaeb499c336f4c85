"""What the layer cache holds: images of the store whose names say which layers they have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

if TYPE_CHECKING:
    from pytest_zlayer.buildah.storage.records import ImageSummary

REPOSITORY = "localhost/zlayer/cache"
_PREFIX = f"{REPOSITORY}:"
_PART = late_pattern("part-([0-9a-f]{64})\\.([0-9]+)")
_IMAGE = "image-"


def key_of(*parts: Any) -> str:
    """A key (64 hex digits), equal for equal parts: strings, numbers, ``None``, lists of them."""
    text = json.dumps(parts, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def key_of_image(image: str) -> str:
    """The key under which a whole image is kept, by its id."""
    return f"{_IMAGE}{image}"


def cache_name(key: str) -> str:
    """The image name under which the layer of ``key`` is kept."""
    return f"{REPOSITORY}:{key}"


def part_name(key: str, count: int) -> str:
    """A further name of an image whose ``count`` lowest layers are those of ``key``."""
    return f"{REPOSITORY}:part-{key}.{count}"


@dataclass(frozen=True, slots=True)
class CachedLayers:
    """Where the layers of a key are.

    Attributes:
        key: what they were made from.
        image: id of an image.
        count: how many of its lowest layers they are. ``None``: they are all it has, without any
            configuration, so that containers can be made of it.
    """

    key: str
    image: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One cached image with the layers of one or more steps on top of each other.

    Attributes:
        key: of its topmost layer, or of any that is found in it.
        image_id: the image.
        used: its last use, seconds since the epoch.
        size: bytes.
        parts: keys of layers found in it, and how many of its layers each means.
        whole: whether it is called by ``key`` itself: then it has these layers and no more.
        finals: its key as an image that somebody has asked for, if it is one.
    """

    key: str
    image_id: str
    used: float
    size: int
    parts: Mapping[str, int] = field(default_factory=dict)
    whole: bool = True
    finals: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.finals, *self.parts, *((self.key,) if self.whole else ()))

    def names_for(self, keys: Collection[str]) -> tuple[str, ...]:
        """Those of its names under which these keys are found."""
        names = [part_name(key, count) for key, count in self.parts.items() if key in keys]
        return (*names, cache_name(self.key)) if self.whole and self.key in keys else tuple(names)

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called; what it is found by comes last."""
        names = [part_name(key, count) for key, count in self.parts.items()]
        names += map(cache_name, self.finals)
        return (*names, cache_name(self.key)) if self.whole else tuple(names)

    def layers(self) -> Iterator[CachedLayers]:
        """What is found in it."""
        for key, count in self.parts.items():
            yield CachedLayers(key, self.image_id, count)
        if self.whole:
            yield CachedLayers(self.key, self.image_id)


def entries_of(
    images: Iterable[ImageSummary], last_use: Callable[[str], float]
) -> list[CacheEntry]:
    """Those of these images that are in the cache, least recently used first.

    Args:
        images: of the store.
        last_use: gives the last use of a key, in seconds since the epoch.
    """
    found = []
    for image in images:
        tags = [name.rpartition(":")[2] for name in image.names if name.startswith(_PREFIX)]
        matched = {tag: _PART.fullmatch(tag) for tag in tags}
        parts = {match[1]: int(match[2]) for match in matched.values() if match}
        finals = tuple(tag for tag in tags if tag.startswith(_IMAGE))
        whole = [tag for tag in tags if not matched[tag] and tag not in finals]
        for key in whole or [*parts, *finals][:1]:
            used = max(last_use(one) for one in (key, *parts, *finals))
            entry = CacheEntry(key, image.id, used, image.size, parts, bool(whole), finals)
            found.append(entry)
    return sorted(found, key=lambda entry: entry.used)
