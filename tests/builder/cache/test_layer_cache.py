"""What processes that use one layer cache leave in its directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_zlayer.builder.cache.layer_cache import LayerCache
from pytest_zlayer.builder.cache.uses import Uses

DAY = 86400.0


def cache_of(directory: Path, session: str) -> LayerCache:
    unused: Any = None  # the engine: the store is not looked at
    return LayerCache(unused, directory / "cache", session)


def test_processes_of_a_session_share_a_directory_that_goes_with_the_last_one(
    tmp_path: Path,
) -> None:
    first, second, other = (cache_of(tmp_path, name) for name in ("one", "one", "other"))
    directory = first.session_directory("fetched")
    (directory / "file").touch()
    assert second.session_directory("fetched") == directory
    assert other.session_directory("fetched") != directory
    first.close()
    assert (directory / "file").exists()
    second.close()
    assert not directory.parent.exists()
    other.close()


def test_a_process_that_is_alone_forgets_what_is_not_in_the_store(tmp_path: Path) -> None:
    cache, other = cache_of(tmp_path, "session"), cache_of(tmp_path, "other")
    used = tmp_path / "cache" / "used"
    Uses(used).note("key")
    cache.tidy([], DAY)
    assert [one.name for one in used.iterdir()] == ["key"]
    other.close()
    cache.tidy([], DAY)
    assert list(used.iterdir()) == []
    cache.close()


def test_layers_may_be_cached_that_stand_on_an_image_that_was_noted(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, "session")
    cache.note_bases(["docker.io/library/a:1", "docker.io/library/b:1"])
    assert [cache.stands_on(f"docker.io/library/{name}:1") for name in "abc"] == [True, True, False]
    cache.close()
