"""What images of the store say of cached layers by their names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_zlayer.builder.cache.entries import (
    CachedLayers,
    cache_name,
    entries_of,
    key_of,
    key_of_image,
    part_name,
)

LOWER, UPPER = key_of("lower"), key_of("upper")


def image(identifier: str, *names: str) -> Any:
    return SimpleNamespace(id=identifier, names=names, size=5)


def test_a_key_tells_equal_parts_from_others() -> None:
    assert key_of("a", 1, None, ["b"]) == key_of("a", 1, None, ["b"])
    assert key_of("a", "b") != key_of("ab")
    assert len(key_of("\udcff")) == 64


def test_an_image_that_is_called_by_a_key_has_its_layers_and_no_more() -> None:
    [entry] = entries_of([image("1", cache_name(UPPER), "app:latest")], lambda _: 7.0)
    assert list(entry.layers()) == [CachedLayers(UPPER, "1")]
    assert (entry.keys, entry.names) == ((UPPER,), (cache_name(UPPER),))
    assert (entry.image_id, entry.used, entry.size) == ("1", 7.0, 5)


def test_layers_are_found_in_the_image_that_has_more() -> None:
    names = (part_name(LOWER, 1), part_name(UPPER, 2), cache_name(key_of_image("1")))
    [entry] = entries_of([image("1", *names)], lambda _: 7.0)
    assert list(entry.layers()) == [CachedLayers(LOWER, "1", 1), CachedLayers(UPPER, "1", 2)]
    assert entry.keys == ("image-1", LOWER, UPPER)
    assert entry.names == names


def test_only_names_of_these_keys_are_given() -> None:
    [entry] = entries_of([image("1", part_name(LOWER, 1), cache_name(UPPER))], lambda _: 7.0)
    assert entry.names_for([LOWER]) == (part_name(LOWER, 1),)
    assert entry.names_for([LOWER, UPPER]) == entry.names
    assert entry.names_for([key_of("another")]) == ()


def test_images_of_others_are_none_of_the_cache() -> None:
    found = [image("1", "docker.io/library/busybox:latest"), image("2")]
    assert entries_of(found, lambda _: 7.0) == []


@pytest.mark.parametrize("latest", [LOWER, UPPER, "image-1"])
def test_an_image_was_used_when_any_of_its_keys_was(latest: str) -> None:
    names = (part_name(LOWER, 1), cache_name(UPPER), cache_name("image-1"))
    [entry] = entries_of(
        [image("1", *names)], {LOWER: 1.0, UPPER: 1.0, "image-1": 1.0, latest: 9.0}.__getitem__
    )
    assert entry.used == 9.0


def test_what_was_not_used_for_the_longest_time_comes_first() -> None:
    images = [image("1", cache_name(UPPER)), image("2", cache_name(LOWER))]
    entries = entries_of(images, {UPPER: 2.0, LOWER: 1.0}.__getitem__)
    assert [one.image_id for one in entries] == ["2", "1"]
