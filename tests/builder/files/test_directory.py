"""Trees on disk: what is seen, as whose, and that nothing outside is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pytest_zlayer.builder.files.directory import ContextRootfs, DiskTree
from pytest_zlayer.builder.files.paths import EmptyRootfs, scan
from tests.builder.support import am_root, copy, files, lay, make_tree

EMPTY = EmptyRootfs()


@pytest.mark.skipif(not am_root, reason="only root can give files away")
def test_everything_in_a_context_belongs_to_root(tmp_path: Path) -> None:
    make_tree(tmp_path, ["a"])
    os.chown(tmp_path / "a", 5, 6)
    (found,) = scan(ContextRootfs(tmp_path), "/")
    by_name = ContextRootfs(tmp_path).lstat("/a")
    assert (found.entry.uid, found.entry.gid, by_name.uid, by_name.gid) == (0, 0, 0, 0)


def test_scan_sees_what_lstat_sees(tmp_path: Path) -> None:
    make_tree(tmp_path, {"b": "B", "a/": None, "link": "-> a", "\udcff": ""})
    os.mkfifo(tmp_path / "pipe")
    tree = ContextRootfs(tmp_path)
    found = tree.scan("/")
    assert [one.name for one in found] == ["a", "b", "link", "pipe", "\udcff"]
    assert [one.entry for one in found] == [tree.lstat(f"/{one.name}") for one in found]


def test_scan_does_not_pass_through_links(tmp_path: Path) -> None:
    make_tree(tmp_path, {"a/x": "", "link": "-> a"})
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        ContextRootfs(tmp_path).scan("/link")


@pytest.mark.parametrize("read_before", [True, False])
def test_link_swapped_in_for_a_directory_leads_nowhere(tmp_path: Path, read_before: bool) -> None:
    context = make_tree(tmp_path / "context", {"d/x": "mine", "d/y": ""})
    make_tree(tmp_path / "outside", {"x": "secret"})
    tree = ContextRootfs(context)
    if read_before:
        tree.open("/d/y").close()
    (context / "d").rename(context / "old")
    (context / "d").symlink_to(tmp_path / "outside")
    try:
        with tree.open("/d/x") as file:
            found = file.read()
    except FileNotFoundError:
        found = b""
    assert found == (b"mine" if read_before else b"")


def test_directory_made_anew_is_seen_by_the_next_selection(tmp_path: Path) -> None:
    context = make_tree(tmp_path / "context", {"d/x": "old"})
    tree = ContextRootfs(context)
    before = files(lay(copy("d", "/"), tree, EMPTY))
    (context / "d").rename(context / "gone")
    make_tree(context, {"d/x": "new"})
    assert (before, files(lay(copy("d", "/"), tree, EMPTY))) == ({"/x": "old"}, {"/x": "new"})


def test_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Invalid argument"):
        ContextRootfs(tmp_path).open("/pipe")


def test_context_given_by_a_link(tmp_path: Path) -> None:
    make_tree(tmp_path, {"real/a": "A", "way": "-> real"})
    assert files(lay(copy(".", "/"), tmp_path / "way", EMPTY)) == {"/a": "A"}


def test_sockets_are_reported_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("door")
        (found,) = ContextRootfs(tmp_path).scan("/")
    assert found.entry.kind == "socket"


@pytest.mark.skipif(not am_root, reason="only root can give files away")
def test_owners_can_be_kept(tmp_path: Path) -> None:
    make_tree(tmp_path, ["a"])
    os.chown(tmp_path / "a", 5, 6)
    (found,) = scan(DiskTree(tmp_path), "/")
    by_name = DiskTree(tmp_path).lstat("/a")
    assert (found.entry.uid, found.entry.gid, by_name.uid, by_name.gid) == (5, 6, 5, 6)
