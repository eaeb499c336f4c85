"""Layers on top of one another before any store has them."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_zlayer.builder.files.contents import InlineContent
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.builder.oci.layer import LayerEntry
from pytest_zlayer.builder.oci.overlay import LayeredRootfs, UpperTree

SECOND = 10**9
BELOW, ABOVE = {"user.x": b"below"}, {"user.x": b"above"}


def file(path: str, text: str = "x") -> LayerEntry:
    return LayerEntry(path, "file", 0o644, content=InlineContent(text.encode()))


def directory(path: str, *, opaque: bool = False) -> LayerEntry:
    return LayerEntry(path, "directory", 0o755, opaque=opaque)


def hardlink(path: str, target: str) -> LayerEntry:
    return LayerEntry(path, "hardlink", 0o644, target=target)


def flat(*layers: Sequence[LayerEntry]) -> list[LayerEntry]:
    return list(UpperTree(layers).flatten())


def test_parents_come_first_and_names_in_their_order() -> None:
    found = flat([file("/b/z"), file("/b-c"), directory("/b"), file("/b/a")])
    assert [one.path for one in found] == ["/b", "/b/a", "/b/z", "/b-c"]


def test_further_names_of_a_file_are_links_to_the_first() -> None:
    found = flat([file("/z", "text"), hardlink("/a", "/z"), hardlink("/m", "/a")])
    assert found == [
        file("/a", "text"),
        hardlink("/m", "/a"),
        hardlink("/z", "/a"),
    ]
    assert [one.content is None for one in found] == [False, True, True]


def test_a_file_over_a_directory_takes_all_that_was_in_it() -> None:
    layers = [directory("/d"), directory("/d/e"), file("/d/e/f"), file("/other")], [file("/d")]
    assert [one.path for one in flat(*layers)] == ["/d", "/other"]


def test_an_opaque_directory_is_empty_and_a_plain_one_merges() -> None:
    below = [directory("/d"), file("/d/old")]
    plain = flat(below, [directory("/d"), file("/d/new")])
    assert [one.path for one in plain] == ["/d", "/d/new", "/d/old"]
    opaque = flat(below, [directory("/d", opaque=True), file("/d/new")])
    assert [one.path for one in opaque] == ["/d", "/d/new"]


def test_names_of_one_file_share_its_inode() -> None:
    tree = UpperTree([[file("/a"), hardlink("/b", "/a"), file("/c")]])
    assert tree.inodes() == {"/a": (1, 2), "/b": (1, 2), "/c": (2, 1)}


def test_what_is_put_there_is_reported_whole() -> None:
    node = LayerEntry("/n", "character", 0o640, 3, 4, 5 * SECOND, device=(1, 7))
    tree = LayeredRootfs(EmptyRootfs(), [[node, file("/f", "four")]])
    found = tree.lstat("/n")
    assert (found.kind, found.mode, found.uid, found.gid) == ("character", 0o640, 3, 4)
    assert (found.mtime_ns, found.device, found.target) == (5 * SECOND, (1, 7), None)
    assert (tree.lstat("/f").size, tree.lstat("/f").links) == (4, 1)


def test_a_link_is_as_long_as_what_it_names() -> None:
    tree = LayeredRootfs(
        EmptyRootfs(), [[LayerEntry("/l", "symlink", 0o777, target="gr\u00f6\u00dfe")]]
    )
    assert (tree.lstat("/l").size, tree.lstat("/l").target) == (7, "gr\u00f6\u00dfe")


def test_a_name_that_is_not_there_is_reported() -> None:
    tree = LayeredRootfs(EmptyRootfs(), [[file("/f")]])
    with pytest.raises(FileNotFoundError) as caught:
        tree.lstat("/gone")
    missing = (errno.ENOENT, os.strerror(errno.ENOENT), "/gone")
    assert (caught.value.errno, caught.value.strerror, caught.value.filename) == missing


def test_a_slash_at_the_end_asks_for_a_directory() -> None:
    link = LayerEntry("/l", "symlink", 0o777, target="d")
    tree = LayeredRootfs(EmptyRootfs(), [[file("/f"), directory("/d"), link]])
    assert tree.lstat("/d/").kind == "directory"
    assert tree.lstat("/l/").kind == "symlink"
    with pytest.raises(NotADirectoryError) as caught:
        tree.lstat("/f/")
    said = (errno.ENOTDIR, os.strerror(errno.ENOTDIR), "/f/")
    assert (caught.value.errno, caught.value.strerror, caught.value.filename) == said


def test_what_cannot_be_reached_does_not_exist() -> None:
    loop = LayerEntry("/loop", "symlink", 0o777, target="/loop")
    tree = LayeredRootfs(EmptyRootfs(), [[file("/f"), loop]])
    names = ["/f", "/gone", "/loop", "/loop/x", "/f/x"]
    assert [name for name in names if tree.exists(name)] == ["/f"]


@pytest.mark.parametrize(
    ("path", "code"),
    [("/d", errno.EISDIR), ("/l", errno.ELOOP)],
)
def test_what_is_no_file_cannot_be_opened(path: str, code: int) -> None:
    link = LayerEntry("/l", "symlink", 0o777, target="d")
    with pytest.raises(OSError, match=re.escape(os.strerror(code))) as caught:
        LayeredRootfs(EmptyRootfs(), [[directory("/d"), link]]).open(path)
    assert (caught.value.errno, caught.value.filename) == (code, path)


def test_names_of_a_directory_are_sorted_as_bytes() -> None:
    names = ["a", "\U0001f600", "\udcff"]
    base = LayeredRootfs(EmptyRootfs(), [[directory("/d"), file(f"/d/{names[2]}")]])
    tree = LayeredRootfs(base, [[file(f"/d/{name}") for name in names[:2]]])
    assert tree.listdir("/d") == names
    with pytest.raises(NotADirectoryError) as caught:
        tree.listdir("/d/a")
    said = (errno.ENOTDIR, os.strerror(errno.ENOTDIR), "/d/a")
    assert (caught.value.errno, caught.value.strerror, caught.value.filename) == said


def test_inodes_are_those_of_no_device() -> None:
    device, _ = LayeredRootfs(EmptyRootfs(), [[file("/f")]]).lstat("/f").inode
    assert device < 0


def test_names_below_what_is_replaced_count_no_more() -> None:
    tree = UpperTree([[directory("/d"), file("/d/a"), hardlink("/b", "/d/a")], [file("/d")]])
    assert tree.inodes() == {"/b": (2, 1), "/d": (3, 1)}


def test_attributes_are_those_of_the_upper_file_where_there_is_one() -> None:
    base = LayeredRootfs(
        EmptyRootfs(),
        [[directory("/d")], [replace(file(f"/d/{name}"), xattrs=BELOW) for name in "ab"]],
    )
    link = LayerEntry("/way", "symlink", 0o777, target="d")
    tree = LayeredRootfs(base, [[replace(file("/d/b"), xattrs=ABOVE), link]])
    assert [tree.xattrs(path) for path in ("/d/a", "/d/b", "/way/b")] == [BELOW, ABOVE, ABOVE]


def test_what_a_layer_hides_has_no_attributes() -> None:
    base = LayeredRootfs(EmptyRootfs(), [[directory("/d"), replace(file("/d/a"), xattrs=BELOW)]])
    tree = LayeredRootfs(base, [[directory("/d", opaque=True)]])
    with pytest.raises(FileNotFoundError) as caught:
        tree.xattrs("/d/a")
    assert caught.value.filename == "/d/a"


def test_what_is_hidden_stays_so_when_a_directory_above_it_is_replaced_too() -> None:
    base = LayeredRootfs(EmptyRootfs(), [[directory("/d"), directory("/d/e"), file("/d/e/old")]])
    tree = LayeredRootfs(
        base,
        [
            [directory("/d/e", opaque=True)],
            [file("/d")],
            [directory("/d"), directory("/d/e"), file("/d/e/new")],
        ],
    )
    assert tree.listdir("/d/e") == ["new"]
