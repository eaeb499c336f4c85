"""Short names of long paths, which several processes share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent.records import StorageOptions
from pytest_zlayer.buildah.agent.short_path import LONGEST_PATH, ShortPath, short_links


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[StorageOptions]:
    """One whose state has a long path."""
    root = tmp_path / "root"
    runroot = tmp_path / ("long" * 12)
    (root / "zlayer").mkdir(parents=True)
    runroot.mkdir()
    yield StorageOptions(str(root), str(runroot), "overlay")
    for link in filter(os.path.islink, short_links(str(runroot))):
        os.unlink(link)


def test_a_long_path_gets_a_short_name(storage: StorageOptions) -> None:
    short = ShortPath.of(storage)
    assert len(short.path) <= LONGEST_PATH
    assert os.path.samefile(short.path, storage.runroot)
    short.release()
    assert not os.path.lexists(short.path)


def test_a_name_stays_while_somebody_uses_it(storage: StorageOptions) -> None:
    """Also if others have made it: each session and each clean-up asks for it by itself."""
    made, found = ShortPath.of(storage), ShortPath.of(storage)
    assert made.path == found.path
    made.release()
    assert os.path.samefile(found.path, storage.runroot)
    found.release()
    found.release()
    assert not os.path.lexists(found.path)


def test_a_short_path_is_its_own_name(storage: StorageOptions) -> None:
    short = ShortPath.of(StorageOptions(storage.root, "/run/short", "overlay"))
    assert short.path == "/run/short"
    short.release()


def test_another_user_cannot_put_a_link_in_the_way(storage: StorageOptions) -> None:
    first, second = short_links(storage.runroot)
    os.symlink("/etc", first)
    short = ShortPath.of(storage)
    assert short.path == second
    assert os.readlink(first) == "/etc"
    short.release()


def test_without_a_place_for_a_link_it_says_so(storage: StorageOptions) -> None:
    for link in short_links(storage.runroot):
        os.symlink("/etc", link)
    with pytest.raises(FileExistsError, match="no place for a link to /"):
        ShortPath.of(storage)


def test_a_name_is_the_same_where_this_user_has_another_number(
    storage: StorageOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What removes a session's containers in a user namespace finds the link that was made."""
    outside = short_links(storage.runroot)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert short_links(storage.runroot) == outside


def test_dead_links_of_this_user_are_removed(storage: StorageOptions, tmp_path: Path) -> None:
    gone, there = tmp_path / "gone", tmp_path / "there"
    there.mkdir()
    links = [short_links(str(place))[0] for place in (gone, there)]
    for link, place in zip(links, (gone, there), strict=True):
        os.symlink(place, link)
    try:
        ShortPath.of(storage).release()
        assert [os.path.lexists(link) for link in links] == [False, True]
    finally:
        for link in filter(os.path.islink, links):
            os.unlink(link)
