"""Where sources end: BuildKit's rules for destinations, owners, modes and times."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_zlayer.buildah.files.rootfs import LocalRootfs
from pytest_zlayer.builder.copy import CopyError, make_directory
from pytest_zlayer.builder.copy.target_tree import TargetTree
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.builder.oci.layer import LayerEntry
from pytest_zlayer.builder.oci.overlay import LayeredRootfs
from pytest_zlayer.dockerfile.operations.kinds import SourceRef
from tests.builder.support import NOW, am_root, at, copy, files, lay, make_tree, paths

EMPTY = EmptyRootfs()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return make_tree(
        tmp_path / "context",
        {"a.txt": "A", "b.txt": "B", "dir/c": "C", "dir/sub/d": "D", "dir/empty/": None},
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_tree(
        tmp_path / "image",
        {
            "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\n",
            "etc/group": "root:x:0:\nwheel:x:10:app\napp:x:2345:\n",
            "opt/old": "old",
        },
    )


# --- destinations


def test_file_becomes_the_destination_when_nothing_is_there(context: Path, image: Path) -> None:
    assert files(lay(copy("a.txt", "/opt/new"), context, image)) == {"/opt/new": "A"}


def test_file_goes_into_an_existing_directory(context: Path, image: Path) -> None:
    assert files(lay(copy("a.txt", "/opt"), context, image)) == {"/opt/a.txt": "A"}


def test_trailing_slash_makes_a_directory(context: Path, image: Path) -> None:
    assert paths(lay(copy("a.txt", "/new/"), context, image)) == ["/new/", "/new/a.txt"]


def test_trailing_dot_makes_a_directory(context: Path, image: Path) -> None:
    assert paths(lay(copy("a.txt", "/new/."), context, image)) == ["/new/", "/new/a.txt"]


def test_file_replaces_a_file(context: Path, image: Path) -> None:
    assert files(lay(copy("a.txt", "/opt/old"), context, image)) == {"/opt/old": "A"}


def test_later_of_two_files_with_one_destination_wins(context: Path, image: Path) -> None:
    assert files(lay(copy("a.txt", "b.txt", "/x"), context, image)) == {"/x": "B"}


def test_directory_copies_its_contents(context: Path, image: Path) -> None:
    layer = lay(copy("dir", "/opt"), context, image)
    assert paths(layer) == ["/opt/", "/opt/c", "/opt/empty/", "/opt/sub/", "/opt/sub/d"]


def test_directory_creates_the_destination(context: Path) -> None:
    assert paths(lay(copy("dir/sub", "/x/y"), context, EMPTY)) == ["/x/", "/x/y/", "/x/y/d"]


def test_whole_context_lands_in_the_root(context: Path) -> None:
    layer = lay(copy(".", "/"), context, EMPTY)
    assert paths(layer) == [
        *("/a.txt", "/b.txt"),
        *("/dir/", "/dir/c", "/dir/empty/", "/dir/sub/", "/dir/sub/d"),
    ]


def test_directory_onto_a_file_is_refused(context: Path, image: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("dir", "/opt/old"), context, image)
    assert str(caught.value) == "cannot copy to non-directory: /opt/old"


def test_directory_below_a_file_is_refused(context: Path, image: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("dir", "/opt/old/deeper"), context, image)
    assert str(caught.value) == "mkdir /opt/old: not a directory"


def test_file_into_a_file_taken_for_a_directory_is_refused(context: Path, image: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("a.txt", "/opt/old/"), context, image)
    assert str(caught.value) == "mkdir /opt/old: not a directory"


def test_file_in_a_tree_does_not_replace_a_directory(context: Path, image: Path) -> None:
    make_tree(image, ["opt/c/"])
    with pytest.raises(CopyError) as caught:
        lay(copy("dir", "/opt"), context, image)
    assert str(caught.value) == "cannot replace to directory /opt/c with file"


def test_directory_in_a_tree_does_not_replace_a_link(context: Path, image: Path) -> None:
    make_tree(image, {"real/": None, "opt/sub": "-> ../real"})
    with pytest.raises(CopyError) as caught:
        lay(copy("dir", "/opt"), context, image)
    assert str(caught.value) == "cannot copy to non-directory: /opt/sub"


def test_file_in_a_tree_replaces_a_link(context: Path, image: Path) -> None:
    make_tree(image, {"opt/c": "-> /etc/passwd"})
    assert files(lay(copy("dir", "/opt"), context, image))["/opt/c"] == "C"


@pytest.mark.parametrize("target", ["/opt", "../opt", "../../../../opt", "etc/../opt"])
def test_links_on_the_way_are_resolved_inside_the_image(
    context: Path, image: Path, target: str
) -> None:
    make_tree(image, {"way": f"-> {target}"})
    assert paths(lay(copy("a.txt", "/way/in/"), context, image)) == [
        "/opt/",
        "/opt/in/",
        "/opt/in/a.txt",
    ]


def test_link_at_the_destination_is_resolved_inside_the_image(context: Path, image: Path) -> None:
    make_tree(image, {"way": "-> /opt/old"})
    assert files(lay(copy("a.txt", "/way"), context, image)) == {"/opt/old": "A"}


def test_dangling_link_at_the_destination_creates_what_it_names(context: Path, image: Path) -> None:
    make_tree(image, {"way": "-> /not/yet"})
    assert paths(lay(copy("a.txt", "/way"), context, image)) == ["/not/", "/not/yet"]


def test_dots_are_taken_out_of_the_destination_before_links_are_followed(
    context: Path, image: Path
) -> None:
    make_tree(image, {"deep/er/": None, "way": "-> /deep/er"})
    assert files(lay(copy("a.txt", "/way/../x"), context, image)) == {"/x": "A"}


def test_endless_links_are_refused(context: Path, image: Path) -> None:
    make_tree(image, {"one": "-> two", "two": "-> one"})
    with pytest.raises(CopyError) as caught:
        lay(copy("a.txt", "/one/x"), context, image)
    assert str(caught.value) == "/one: too many links"


# --- metadata


def test_existing_parents_keep_their_metadata(context: Path, image: Path) -> None:
    (image / "opt").chmod(0o2751)
    os.utime(image / "opt", ns=(0, 5_000_000_000))
    if am_root:
        os.chown(image / "opt", 11, 22)
    found = at(lay(copy("a.txt", "/opt/"), context, image), "/opt")
    status = (image / "opt").stat()
    assert (found.mode, found.uid, found.gid, found.mtime_ns) == (
        0o2751,
        status.st_uid,
        status.st_gid,
        5_000_000_000,
    )


def test_new_parents_belong_to_root_and_are_made_now(context: Path, image: Path) -> None:
    found = at(lay(copy("a.txt", "/x/y/z"), context, image), "/x")
    assert (found.mode, found.uid, found.gid, found.mtime_ns) == (0o755, 0, 0, NOW * 10**9)


def test_new_parents_follow_chown_and_octal_chmod(context: Path, image: Path) -> None:
    found = at(lay(copy("a.txt", "/x/", chown="5:6", chmod="4711"), context, image), "/x")
    assert (found.mode, found.uid, found.gid) == (0o711, 5, 6)


def test_new_parents_do_not_follow_symbolic_chmod(context: Path, image: Path) -> None:
    assert at(lay(copy("a.txt", "/x/", chmod="go-rwx"), context, image), "/x").mode == 0o755


def test_new_destination_directory_does_not_take_the_mode_of_the_source(
    context: Path, image: Path
) -> None:
    (context / "dir").chmod(0o700)
    assert at(lay(copy("dir", "/new"), context, image), "/new").mode == 0o755


def test_directories_below_take_the_mode_of_the_source(context: Path, image: Path) -> None:
    make_tree(image, ["opt/sub/"])
    (context / "dir/sub").chmod(0o1711)
    assert at(lay(copy("dir", "/opt"), context, image), "/opt/sub").mode == 0o1711


def test_mode_time_and_setuid_are_kept(context: Path) -> None:
    (context / "a.txt").chmod(0o6755)
    os.utime(context / "a.txt", ns=(0, 7_000_000_001))
    found = at(lay(copy("a.txt", "/"), context, EMPTY), "/a.txt")
    assert (found.mode, found.mtime_ns) == (0o6755, 7_000_000_001)


@pytest.mark.skipif(not am_root, reason="only root can give files away")
def test_files_of_a_local_context_belong_to_root(context: Path) -> None:
    os.chown(context / "a.txt", 11, 22)
    found = at(lay(copy("a.txt", "/"), context, EMPTY), "/a.txt")
    assert (found.uid, found.gid) == (0, 0)


@pytest.mark.skipif(not am_root, reason="only root can give files away")
def test_files_of_a_stage_keep_their_owner(context: Path) -> None:
    os.chown(context / "a.txt", 11, 22)
    operation = copy("a.txt", "/", from_=SourceRef("stage", index=0))
    found = at(lay(operation, LocalRootfs(context), EMPTY), "/a.txt")
    assert (found.uid, found.gid) == (11, 22)


@pytest.mark.parametrize(
    ("chown", "owner"),
    [
        ("app", (1234, 2345)),
        ("app:wheel", (1234, 10)),
        ("77", (77, 77)),
        ("77:88", (77, 88)),
        ("77:wheel", (77, 10)),
        (":wheel", (0, 10)),
        ("app:", (1234, 2345)),
    ],
)
def test_chown_by_name_and_number(
    context: Path, image: Path, chown: str, owner: tuple[int, int]
) -> None:
    found = at(lay(copy("a.txt", "/x", chown=chown), context, image), "/x")
    assert (found.uid, found.gid) == owner


def test_chown_reaches_links(context: Path, image: Path) -> None:
    (context / "dir/link").symlink_to("c")
    found = at(lay(copy("dir", "/x", chown="5:6"), context, image), "/x/link")
    assert (found.kind, found.uid, found.gid) == ("symlink", 5, 6)


@pytest.mark.parametrize(("chmod", "mode"), [("640", 0o640), ("u=rwX,go=rX", 0o644)])
def test_chmod_reaches_files(context: Path, chmod: str, mode: int) -> None:
    (context / "a.txt").chmod(0o600)
    assert at(lay(copy("a.txt", "/", chmod=chmod), context, EMPTY), "/a.txt").mode == mode


def test_symbolic_chmod_tells_directories_from_files(context: Path) -> None:
    (context / "dir/sub").chmod(0o700)
    (context / "dir/sub/d").chmod(0o600)
    layer = lay(copy("dir", "/x", chmod="a+X"), context, EMPTY)
    assert (at(layer, "/x/sub").mode, at(layer, "/x/sub/d").mode) == (0o711, 0o600)


# --- WORKDIR


def test_make_directory_creates_parents_for_the_owner(image: Path) -> None:
    layer = make_directory("/opt/a/b", LocalRootfs(image), owner=(5, 6), now=NOW)
    assert paths(layer) == ["/opt/", "/opt/a/", "/opt/a/b/"]
    assert [(at(layer, path).uid, at(layer, path).gid) for path in ("/opt/a", "/opt/a/b")] == [
        (5, 6),
        (5, 6),
    ]


def test_make_directory_that_exists_is_no_layer(image: Path) -> None:
    make_tree(image, {"way": "-> /opt"})
    assert make_directory("/way", LocalRootfs(image)) == ()


def test_make_directory_over_a_file_is_refused(image: Path) -> None:
    with pytest.raises(CopyError) as caught:
        make_directory("/opt/old/x", LocalRootfs(image))
    assert str(caught.value) == "mkdir /opt/old: not a directory"


# --- pending layers


def test_copy_onto_a_pending_layer_sees_its_links(context: Path, image: Path) -> None:
    make_tree(context, {"links/way": "-> /opt"})
    first = lay(copy("links", "/"), context, image)
    pending = LayeredRootfs(LocalRootfs(image), [first])
    assert paths(lay(copy("a.txt", "/way/"), context, pending)) == ["/opt/", "/opt/a.txt"]


def test_directory_that_is_there_keeps_its_attributes_beside_new_ones(context: Path) -> None:
    there = LayerEntry("/opt/sub", "directory", 0o700, xattrs={"user.x": b"old"})
    image = LayeredRootfs(EMPTY, [[LayerEntry("/opt", "directory", 0o755), there]])
    (context / "dir/sub").chmod(0o1711)
    found = at(lay(copy("dir", "/opt"), context, image), "/opt/sub")
    assert (found.mode, dict(found.xattrs)) == (0o1711, {"user.x": b"old"})


def test_directory_in_place_of_a_link_does_not_show_what_the_link_led_to(tmp_path: Path) -> None:
    image = make_tree(tmp_path, {"d/f": "F"})
    (image / "way").symlink_to("d")
    tree = TargetTree(LocalRootfs(image), NOW)
    assert tree.lstat("/d/f") is not None
    tree.put(LayerEntry("/way", "directory", 0o755))
    assert tree.lstat("/way/f") is None
    tree.put(LayerEntry("/new", "directory", 0o755))
    assert tree.lstat("/new/f") is None
