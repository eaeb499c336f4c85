"""Layer tars: deterministic, complete, and readable by tar; pending layers as a tree."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.files.contents import InlineContent, MemberContent
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.builder.files.room import NO_ROOM_HINT
from pytest_zlayer.builder.oci.layer import LayerEntry, LayerError, write_layer
from pytest_zlayer.builder.oci.overlay import LayeredRootfs
from tests.builder.support import am_root, copy, lay, make_tree, members


def file(path: str, content: str = "", **fields: object) -> LayerEntry:
    entry = LayerEntry(path, "file", 0o644, content=InlineContent(content.encode()))
    return replace(entry, **fields)  # type: ignore[arg-type]


def directory(path: str, **fields: object) -> LayerEntry:
    return replace(LayerEntry(path, "directory", 0o755), **fields)  # type: ignore[arg-type]


def test_digest_and_size_are_those_of_the_tar(tmp_path: Path) -> None:
    blob = write_layer([directory("/a"), file("/a/b", "content")], tmp_path)
    data = blob.path.read_bytes()
    assert blob.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert blob.size == len(data)


def test_same_entries_give_the_same_bytes(tmp_path: Path) -> None:
    entries = [directory("/a"), file("/a/b", "content", xattrs={"user.b": b"1", "user.a": b"2"})]
    again = [entries[0], replace(entries[1], xattrs={"user.a": b"2", "user.b": b"1"})]
    assert write_layer(entries, tmp_path).diff_id == write_layer(again, tmp_path).diff_id


def test_nothing_but_the_tar_is_left(tmp_path: Path) -> None:
    blob = write_layer([file("/x", "1")], tmp_path)
    assert list(tmp_path.iterdir()) == [blob.path]


def test_times_are_whole_seconds(tmp_path: Path) -> None:
    (found,) = members([file("/x", mtime_ns=1_999_999_999)], tmp_path)
    assert found.mtime == 1


def test_timestamp_is_the_latest_time_there_is(tmp_path: Path) -> None:
    entries = [file("/new", mtime_ns=9 * 10**9), file("/old", mtime_ns=3 * 10**9)]
    assert [found.mtime for found in members(entries, tmp_path, timestamp=5)] == [5, 3]


def test_every_kind_is_reported(tmp_path: Path) -> None:
    found = members(
        [
            LayerEntry("/blk", "block", 0o660, device=(8, 1)),
            LayerEntry("/chr", "character", 0o666, device=(1, 3)),
            directory("/dir", mode=0o1777, uid=1000, gid=3_000_000),
            LayerEntry("/fifo", "fifo", 0o600),
            file("/reg", "x", mode=0o6755),
            LayerEntry("/reg2", "hardlink", 0o644, target="/reg"),
            LayerEntry("/sym", "symlink", 0o777, target="/any/where"),
        ],
        tmp_path,
    )
    assert [(one.name, one.type, one.mode, one.linkname) for one in found] == [
        ("blk", tarfile.BLKTYPE, 0o660, ""),
        ("chr", tarfile.CHRTYPE, 0o666, ""),
        ("dir", tarfile.DIRTYPE, 0o1777, ""),
        ("fifo", tarfile.FIFOTYPE, 0o600, ""),
        ("reg", tarfile.REGTYPE, 0o6755, ""),
        ("reg2", tarfile.LNKTYPE, 0o644, "reg"),
        ("sym", tarfile.SYMTYPE, 0o777, "/any/where"),
    ]
    assert [(one.devmajor, one.devminor) for one in found[:2]] == [(8, 1), (1, 3)]
    assert (found[2].uid, found[2].gid) == (1000, 3_000_000)


@pytest.mark.parametrize(
    "name", ["ünï", "\udcff\udcfe", "new\nline", "-rf", "a" * 255, "/".join(["deep" * 20] * 10)]
)
def test_odd_and_long_names_survive(tmp_path: Path, name: str) -> None:
    (found,) = members([file(f"/{name}", "x")], tmp_path)
    assert found.name == name


def test_extended_attributes_are_binary(tmp_path: Path) -> None:
    value = bytes(range(256))
    (found,) = members([file("/x", xattrs={"security.capability": value})], tmp_path)
    stored = found.pax_headers["SCHILY.xattr.security.capability"]
    assert stored.encode("utf-8", "surrogateescape") == value


def test_whiteout_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayerError) as caught:
        write_layer([file("/a/.wh.b")], tmp_path)
    assert str(caught.value) == (
        "/a/.wh.b: names that begin with '.wh.' cannot be stored in an image layer\n"
        "hint: unpacking the layer deletes the file such a name stands for; rename the file"
    )


class _Changing:
    """A file whose size is not what was seen before."""

    size = 10

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> BinaryIO:
        return InlineContent(self.data).open()


@pytest.mark.parametrize("data", [b"short", b"much too long"])
def test_file_that_changes_under_our_hands_is_an_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(LayerError) as caught:
        write_layer([replace(file("/x"), content=_Changing(data))], tmp_path)
    assert str(caught.value) == "/x: the source changed while it was copied"
    assert list(tmp_path.iterdir()) == []


def test_file_that_went_away_is_an_error(tmp_path: Path) -> None:
    context = make_tree(tmp_path / "context", ["a"])
    layer = lay(copy("a", "/"), context, EmptyRootfs())
    (context / "a").unlink()
    with pytest.raises(LayerError) as caught:
        write_layer(layer, tmp_path)
    assert str(caught.value) == "/a: the source changed while it was copied"


@pytest.mark.skipif(am_root, reason="root may read everything")
def test_unreadable_file_is_an_error(tmp_path: Path) -> None:
    context = make_tree(tmp_path / "context", ["a"])
    (context / "a").chmod(0)
    with pytest.raises(LayerError) as caught:
        write_layer(lay(copy("a", "/"), context, EmptyRootfs()), tmp_path)
    assert str(caught.value) == "/a: cannot read the source: Permission denied"


def test_a_file_that_no_disk_holds_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    huge = LayerEntry("/f", "file", 0o644, content=MemberContent(1 << 60, io.BytesIO))
    with pytest.raises(LayerError) as caught:
        write_layer([huge], tmp_path)
    assert caught.value.message.startswith(f"/f has {1 << 60} bytes, and only ")
    assert caught.value.message.endswith(f" are free in {tmp_path}")
    assert caught.value.hint == NO_ROOM_HINT
    assert list(tmp_path.iterdir()) == []


def test_big_file_is_not_held_in_memory(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    with (context / "big").open("wb") as big:
        big.truncate(3 << 20)
    blob = write_layer(lay(copy("big", "/"), context, EmptyRootfs()), tmp_path)
    assert blob.size == 512 + (3 << 20) + 1024


# --- pending layers


@pytest.fixture
def base(tmp_path: Path) -> LocalRootfs:
    return LocalRootfs(
        make_tree(
            tmp_path / "base",
            {"etc/x": "", "opt/a": "A", "opt/b": "B", "lib": "-> usr/lib", "usr/lib/x": "X"},
        )
    )


def read(tree: LayeredRootfs, path: str) -> str:
    with tree.open(path) as found:
        return found.read().decode()


def test_upper_files_stand_beside_those_of_the_base(base: LocalRootfs) -> None:
    tree = LayeredRootfs(base, [[directory("/opt"), file("/opt/c", "C")]])
    assert tree.listdir("/opt") == ["a", "b", "c"]
    assert (read(tree, "/opt/a"), read(tree, "/opt/c")) == ("A", "C")


def test_later_layer_wins(base: LocalRootfs) -> None:
    tree = LayeredRootfs(base, [[file("/opt/a", "1")], [file("/opt/a", "2")]])
    assert read(tree, "/opt/a") == "2"


def test_metadata_of_a_directory_is_that_of_the_upper(base: LocalRootfs) -> None:
    tree = LayeredRootfs(base, [[directory("/opt", mode=0o711, uid=5)]])
    assert (tree.lstat("/opt").mode, tree.lstat("/opt").uid) == (0o711, 5)


def test_links_lead_through_both(base: LocalRootfs) -> None:
    link = LayerEntry("/way", "symlink", 0o777, target="lib/../../lib")
    tree = LayeredRootfs(base, [[link]])
    assert tree.resolve("/way/x") == "/usr/lib/x"
    assert read(tree, "/way/x") == "X"
    assert tree.exists("/way/x")


def test_file_over_a_directory_hides_it(base: LocalRootfs) -> None:
    tree = LayeredRootfs(base, [[file("/opt", "now a file")]])
    assert not tree.exists("/opt/a")
    with pytest.raises(NotADirectoryError):
        tree.listdir("/opt")


def test_directory_over_such_a_file_is_empty(base: LocalRootfs) -> None:
    tree = LayeredRootfs(base, [[file("/opt")], [directory("/opt"), file("/opt/z", "Z")]])
    assert tree.listdir("/opt") == ["z"]
    assert not tree.exists("/opt/a")


def test_directory_over_a_link_hides_where_it_led(base: LocalRootfs) -> None:
    tree = LayeredRootfs(base, [[directory("/lib"), file("/lib/y", "Y")]])
    assert tree.listdir("/lib") == ["y"]


def test_hard_links_share_an_inode(base: LocalRootfs) -> None:
    link = LayerEntry("/two", "hardlink", 0, target="/one")
    tree = LayeredRootfs(base, [[file("/one", "1"), link]])
    assert tree.lstat("/one").inode == tree.lstat("/two").inode
    assert (tree.lstat("/two").kind, tree.lstat("/two").links) == ("file", 2)


def test_hard_link_keeps_the_content_when_its_other_name_is_replaced(base: LocalRootfs) -> None:
    link = LayerEntry("/two", "hardlink", 0, target="/one")
    tree = LayeredRootfs(base, [[file("/one", "1"), link], [file("/one", "new")]])
    assert (read(tree, "/one"), read(tree, "/two")) == ("new", "1")


def test_missing_files_are_missing(base: LocalRootfs) -> None:
    tree = LayeredRootfs(base, [])
    with pytest.raises(FileNotFoundError):
        tree.lstat("/nope/deeper")
    with pytest.raises(FileNotFoundError):
        tree.open("/opt/nope")


def test_a_link_is_not_opened(base: LocalRootfs) -> None:
    tree = LayeredRootfs(base, [[LayerEntry("/way", "symlink", 0o777, target="/opt/a")]])
    with pytest.raises(OSError, match="symbolic links"):
        tree.open("/way")


# --- against an independent model


def _random_tree(root: Path, chance: random.Random, depth: int = 0) -> None:
    for _ in range(chance.randint(1, 4)):
        name = chance.choice("abcdef") + chance.choice(["", ".txt", " x", "\n"])
        path = root / name
        if path.exists() or path.is_symlink():
            continue
        kind = chance.choice(["file", "file", "directory", "link"])
        if kind == "directory" and depth < 3:
            path.mkdir(chance.choice([0o755, 0o700, 0o1777]))
            _random_tree(path, chance, depth + 1)
        elif kind == "link":
            path.symlink_to(chance.choice(["a", "../b", "/c", "nowhere"]))
        else:
            path.write_bytes(chance.randbytes(chance.choice([0, 1, 511, 512, 513, 5000])))
            path.chmod(chance.choice([0o644, 0o600, 0o755]))


def _snapshot(root: Path) -> dict[str, tuple[str, int, bytes]]:
    """Kind, mode, and content or target of everything below a directory."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for parent, directories, names in os.walk(root):
        for name in directories + names:
            path = Path(parent, name)
            mode = path.lstat().st_mode & 0o7777
            place = str(path.relative_to(root))
            if path.is_symlink():
                found[place] = ("link", 0, os.fsencode(path.readlink()))
            elif path.is_dir():
                found[place] = ("directory", mode, b"")
            else:
                found[place] = ("file", mode, path.read_bytes())
    return found


@pytest.mark.parametrize("seed", range(25))
def test_random_trees_come_out_of_tar_as_they_went_in(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    context, out = tmp_path / "context", tmp_path / "out"
    context.mkdir()
    out.mkdir()
    _random_tree(context, chance)
    blob = write_layer(lay(copy(".", "/deep/er"), context, EmptyRootfs()), tmp_path)
    flags = ["--same-owner", "-p"] if am_root else ["-p"]
    subprocess.run(["tar", *flags, "-xf", blob.path, "-C", out], check=True)
    assert _snapshot(out / "deep/er") == _snapshot(context)


def test_what_is_gone_is_a_whiteout(tmp_path: Path) -> None:
    (member,) = members([LayerEntry("/d/gone", "whiteout", 0)], tmp_path)
    assert (member.name, member.isreg(), member.mode, member.size) == ("d/.wh.gone", True, 0, 0)


def test_an_opaque_directory_is_followed_by_its_mark(tmp_path: Path) -> None:
    made = LayerEntry("/d", "directory", 0o755, mtime_ns=7 * 10**9, opaque=True)
    folder, mark = members([made], tmp_path)
    assert (folder.name, folder.isdir()) == ("d", True)
    assert (mark.name, mark.isreg(), mark.mode) == ("d/.wh..wh..opq", True, 0o600)
    assert (mark.mtime, mark.size) == (7, 0)


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    odd = os.fsdecode(b"/\xff")
    (member,) = members([LayerEntry(odd, "file", 0o644)], tmp_path)
    assert member.name == odd[1:]


def test_names_and_attributes_that_are_no_utf_8_are_kept(tmp_path: Path) -> None:
    found = members([file("/caf\udce9", xattrs={"user.x": b"\xff"})], tmp_path)
    assert [one.name for one in found] == ["caf\udce9"]
    assert found[0].pax_headers["SCHILY.xattr.user.x"] == "\udcff"
