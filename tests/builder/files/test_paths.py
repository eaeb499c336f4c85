"""Paths and links inside a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.files.paths import (
    EmptyRootfs,
    clean,
    components,
    follow,
    join,
    look,
    scan,
)
from tests.builder.support import make_tree


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("", "/"),
        (".", "/"),
        ("a/./b//c/", "/a/b/c"),
        ("../../a", "/a"),
        ("//a", "/a"),
        ("/a/../..", "/"),
    ],
)
def test_clean(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


def test_join_and_components() -> None:
    assert [join("/", "a"), join("/a", "b"), join("/a", "")] == ["/a", "/a/b", "/a"]
    assert [components("/"), components("/a/b")] == [[], ["a", "b"]]


@pytest.fixture
def tree(tmp_path: Path) -> LocalRootfs:
    links = {
        "d/f": "",
        "abs": "-> /d",
        "rel": "-> d/../abs",
        "out": "-> ../../../d",
        "one": "-> two",
        "two": "-> one",
        "dangling": "-> /not/here",
    }
    return LocalRootfs(make_tree(tmp_path, links))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/d/f", "/d/f"),
        ("/abs/f", "/d/f"),
        ("/rel/f", "/d/f"),
        ("/out/f", "/d/f"),
        ("/abs/../x", "/x"),
        ("/dangling/deeper", "/not/here/deeper"),
        ("/none/../d", "/d"),
        ("/../../d", "/d"),
    ],
)
def test_follow(tree: LocalRootfs, path: str, found: str) -> None:
    assert follow(lambda one: look(tree, one), path) == found


def test_endless_links(tree: LocalRootfs) -> None:
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        follow(lambda one: look(tree, one), "/one")


def test_scan_of_any_tree(tree: LocalRootfs) -> None:
    assert [(one.name, one.entry.kind) for one in scan(tree, "/")][:3] == [
        ("abs", "symlink"),
        ("d", "directory"),
        ("dangling", "symlink"),
    ]


def test_nothing_is_in_the_empty_tree() -> None:
    empty = EmptyRootfs()
    assert (empty.listdir("/"), empty.exists("/"), empty.exists("/a")) == ([], True, False)
    assert look(empty, "/a") is None
    with pytest.raises(FileNotFoundError):
        empty.open("/a")
