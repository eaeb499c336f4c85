"""Sources of ADD that lie elsewhere: telling them from paths, and the files they give."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.copy.remote import Fetched, remote_kind
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation
from tests.builder.support import add, at, files, lay, make_tree, paths

EMPTY = EmptyRootfs()


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("file.txt", "path"),
        ("https.txt", "path"),
        ("ftp://example.com/x", "path"),
        ("github.com/moby/buildkit", "path"),
        ("a:b", "path"),
        ("http://example.com/x", "http"),
        ("HTTPS://example.com/x.tar.gz", "path"),
        ("https://example.com/x.git/file", "http"),
        ("https://example.com/x.git", "git"),
        ("https://example.com/x.git#main:sub", "git"),
        ("https://example.com/x.git?ref=main", "git"),
        ("git://example.com/x", "git"),
        ("ssh://git@example.com/x", "git"),
        ("git@github.com:moby/buildkit.git", "git"),
    ],
)
def test_kind_of_source(source: str, kind: str) -> None:
    assert remote_kind(source) == kind


# --- what has been fetched


def fetching(fetched: Fetched) -> Any:
    return lambda *_: fetched


def test_a_checkout_is_owned_by_root_with_plain_modes(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"program": "p", "text": "t", "sub/link": "-> ../text"})
    (tree / "program").chmod(0o700)
    (tree / "text").chmod(0o666)
    (tree / "sub").chmod(0o700)
    os.utime(tree / "text", ns=(0, 5))
    fetched = Fetched(LocalRootfs(tree), "/", is_directory=True, mtime_ns=7)
    layer = lay(add("https://h/r.git", "/to/"), EMPTY, EMPTY, fetch=fetching(fetched))
    shown = {one.path: (one.kind, one.mode, one.uid, one.gid, one.mtime_ns) for one in layer[1:]}
    assert shown == {
        "/to/program": ("file", 0o755, 0, 0, 7),
        "/to/sub": ("directory", 0o755, 0, 0, 7),
        "/to/sub/link": ("symlink", 0o777, 0, 0, 7),
        "/to/text": ("file", 0o644, 0, 0, 7),
    }
    assert files(layer)["/to/text"] == "t"
    undated = Fetched(LocalRootfs(tree), "/", is_directory=True)
    layer = lay(add("https://h/r.git", "/to/"), EMPTY, EMPTY, fetch=fetching(undated))
    assert at(layer, "/to/text").mtime_ns == 5


def test_files_of_a_checkout_can_be_excluded(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", ["a", "b"])
    fetched = Fetched(LocalRootfs(tree), "/", is_directory=True)
    operation = add("https://h/r.git", "/", exclude=("a",))
    assert paths(lay(operation, EMPTY, EMPTY, fetch=fetching(fetched))) == ["/b"]


def test_a_download_is_a_private_file_of_root(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"x": "downloaded"})
    fetched = Fetched(LocalRootfs(tree), "/x", is_directory=False, name="name", mtime_ns=9)
    layer = lay(add("https://h/x", "/to/"), EMPTY, EMPTY, fetch=fetching(fetched))
    found = at(layer, "/to/name")
    assert (found.mode, found.uid, found.gid, found.mtime_ns) == (0o600, 0, 0, 9)
    assert files(layer) == {"/to/name": "downloaded"}


def test_what_fetches_is_told_the_source_and_the_instruction(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", ["x"])
    asked: list[tuple[str, CopyOperation]] = []

    def fetch(*words: Any) -> Fetched:
        asked.append(words)
        return Fetched(LocalRootfs(tree), "/x", is_directory=False, name="x")

    operation = add("https://h/x", "/to/")
    lay(operation, EMPTY, EMPTY, fetch=fetch)
    assert asked == [("https://h/x", operation)]
