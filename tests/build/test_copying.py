"""What COPY puts where: BuildKit's rules for sources, destinations, owners and modes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pytest_zlayer.build.context import ContextRootfs
from pytest_zlayer.build.copying import CopyError, layout, make_directory, select
from pytest_zlayer.build.layer import LayeredRootfs
from pytest_zlayer.build.trees import EmptyRootfs
from pytest_zlayer.buildah.rootfs import LocalRootfs
from pytest_zlayer.dockerfile.operations import InlineFile, SourceRef
from tests.build.support import NOW, am_root, at, copy, files, lay, make_tree, paths

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


def test_dangling_link_at_the_destination_creates_what_it_names(
    context: Path, image: Path
) -> None:
    make_tree(image, {"way": "-> /not/yet"})
    assert paths(lay(copy("a.txt", "/way"), context, image)) == ["/not/", "/not/yet"]


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


# --- sources


def test_missing_source(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("nothing/like/this", "/"), context, EMPTY)
    assert str(caught.value) == '"/nothing/like/this": not found'


def test_missing_source_with_a_near_name(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("dir/sbu", "/"), context, EMPTY)
    assert str(caught.value) == '"/dir/sbu": not found\nhint: did you mean dir/sub?'


def test_ignored_source_is_missing_and_the_hint_says_why(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("a.txt", "/"), context, EMPTY, ignore="*.txt")
    assert str(caught.value) == (
        '"/a.txt": not found\nhint: it exists but the ignore file (.dockerignore) excludes it'
    )


def test_ignored_files_are_left_out(context: Path) -> None:
    layer = lay(copy(".", "/"), context, EMPTY, ignore="dir/sub\n*.txt")
    assert paths(layer) == ["/dir/", "/dir/c", "/dir/empty/"]


def test_reincluded_file_brings_its_directory(context: Path) -> None:
    layer = lay(copy(".", "/"), context, EMPTY, ignore="*\n!dir/sub/d")
    assert paths(layer) == ["/dir/", "/dir/sub/", "/dir/sub/d"]


def test_ignored_directory_with_a_reincluded_file_can_be_named(context: Path) -> None:
    layer = lay(copy("dir", "/x"), context, EMPTY, ignore="dir\n!dir/sub/d")
    assert paths(layer) == ["/x/", "/x/sub/", "/x/sub/d"]


def test_link_through_an_ignored_name_is_missing(context: Path) -> None:
    (context / "link").symlink_to("dir")
    with pytest.raises(CopyError, match=r'^"/link/c": not found'):
        lay(copy("link/c", "/"), context, EMPTY, ignore="link")


@pytest.mark.parametrize(
    "source", ["../a.txt", "/../../a.txt", "./a.txt", "dir/../a.txt", "/a.txt"]
)
def test_sources_are_rooted_at_the_context(context: Path, source: str) -> None:
    assert files(lay(copy(source, "/x"), context, EMPTY)) == {"/x": "A"}


@pytest.mark.parametrize("outside", ["/etc/passwd", "../outside", "dir/../../outside"])
def test_links_out_of_the_context_lead_nowhere(
    context: Path, tmp_path: Path, outside: str
) -> None:
    (tmp_path / "outside").write_text("secret")
    (context / "link").symlink_to(outside)
    with pytest.raises(CopyError, match=r'^"/link": not found'):
        lay(copy("link", "/x"), context, EMPTY)


def test_link_to_a_file_gives_its_content_under_the_name_of_the_link(context: Path) -> None:
    (context / "link").symlink_to("a.txt")
    assert files(lay(copy("link", "/x/"), context, EMPTY)) == {"/x/link": "A"}


def test_link_to_a_directory_gives_its_contents(context: Path) -> None:
    (context / "link").symlink_to("/dir/sub")
    assert paths(lay(copy("link", "/x"), context, EMPTY)) == ["/x/", "/x/d"]


def test_links_inside_a_directory_stay_links(context: Path) -> None:
    (context / "dir/link").symlink_to("/anywhere/../at all")
    assert files(lay(copy("dir", "/x"), context, EMPTY))["/x/link"] == "-> /anywhere/../at all"


def test_hard_links_inside_a_directory_stay_hard_links(context: Path) -> None:
    os.link(context / "dir/c", context / "dir/also")
    found = files(lay(copy("dir", "/x"), context, EMPTY))
    assert (found["/x/also"], found["/x/c"]) == ("C", "= /x/also")


def test_hard_links_across_sources_are_copies(context: Path) -> None:
    os.link(context / "a.txt", context / "twin")
    found = files(lay(copy("a.txt", "twin", "/x/"), context, EMPTY))
    assert found == {"/x/a.txt": "A", "/x/twin": "A"}


def test_replaced_file_leaves_its_hard_link_alone(context: Path) -> None:
    os.link(context / "dir/c", context / "dir/also")
    found = files(lay(copy("dir", "a.txt", "/x/"), context, EMPTY))
    make_tree(context, {"over/also": "new"})
    found = files(lay(copy("dir", "over", "/x/"), context, EMPTY))
    assert (found["/x/also"], found["/x/c"]) == ("new", "C")


def test_sockets_are_skipped_with_a_warning(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(context)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("dir/door")
        selection = select(copy("dir", "/x"), ContextRootfs(context))
    layer = layout(selection, copy("dir", "/x"), EMPTY, now=NOW)
    assert "/x/door" not in paths(layer)
    assert selection.warnings == ("/dir/door: sockets are not copied",)


def test_pipes_are_copied(context: Path) -> None:
    os.mkfifo(context / "dir/pipe", 0o640)
    found = at(lay(copy("dir", "/x"), context, EMPTY), "/x/pipe")
    assert (found.kind, found.mode) == ("fifo", 0o640)


@pytest.mark.skipif(not am_root, reason="only root can make device nodes")
def test_device_nodes_are_copied(context: Path) -> None:
    os.mknod(context / "dir/null", 0o20666, os.makedev(1, 3))
    found = at(lay(copy("dir", "/x"), context, EMPTY), "/x/null")
    assert (found.kind, found.device) == ("character", (1, 3))


# --- wildcards


def test_wildcard_is_sorted_and_does_not_cross_slashes(context: Path) -> None:
    make_tree(context, ["z.txt", "dir/n.txt"])
    assert paths(lay(copy("*.txt", "/x/"), context, EMPTY)) == [
        *("/x/", "/x/a.txt", "/x/b.txt", "/x/z.txt"),
    ]


def test_wildcard_in_the_middle(context: Path) -> None:
    assert files(lay(copy("d*/s?b/[a-d]", "/x/"), context, EMPTY)) == {"/x/d": "D"}


def test_wildcard_that_matches_directories_merges_their_contents(context: Path) -> None:
    make_tree(context, {"dir2/c": "other", "dir2/e": "E"})
    found = files(lay(copy("dir*", "/x/"), context, EMPTY))
    assert found == {"/x/c": "other", "/x/e": "E", "/x/sub/d": "D"}


def test_wildcard_without_a_match_copies_nothing(context: Path) -> None:
    assert lay(copy("*.none", "/x/"), context, EMPTY) == ()


def test_wildcard_does_not_pass_through_links(context: Path) -> None:
    (context / "link").symlink_to("dir")
    assert lay(copy("l*/c", "/x/"), context, EMPTY) == ()


def test_wildcard_below_a_link_follows_it(context: Path) -> None:
    (context / "link").symlink_to("dir")
    assert files(lay(copy("link/?", "/x/"), context, EMPTY)) == {"/x/c": "C"}


def test_wildcard_below_a_missing_directory(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("none/*", "/x/"), context, EMPTY)
    assert str(caught.value) == "lstat /none: no such file or directory"


def test_malformed_pattern(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("[a", "/x/"), context, EMPTY)
    assert str(caught.value) == "syntax error in pattern: [a"


def test_wildcard_sees_what_the_ignore_file_leaves(context: Path) -> None:
    assert files(lay(copy("*.txt", "/x/"), context, EMPTY, ignore="a*")) == {"/x/b.txt": "B"}


UGLY = [
    "-rf", "--from=x", "a b", "new\nline", "tab\t", "star*", "q?", "[set]", "back\\slash", "'q'",
    '"dq"', "$HOME", "ünï", "日本", "\udcff\udcfe", " lead", "trail ", "#hash", "!bang", "a:b", "~",
]  # fmt: skip


@pytest.mark.parametrize("name", UGLY)
def test_ugly_names_in_a_directory(tmp_path: Path, name: str) -> None:
    context = make_tree(tmp_path / "context", {f"d/{name}": "content", f"d/{name}-dir/x": "X"})
    found = files(lay(copy("d", "/x"), context, EMPTY))
    assert found == {f"/x/{name}": "content", f"/x/{name}-dir/x": "X"}


@pytest.mark.parametrize("name", [name for name in UGLY if not set(name) & set("*?[\\")])
def test_ugly_names_as_sources(tmp_path: Path, name: str) -> None:
    context = make_tree(tmp_path / "context", {name: "content"})
    assert files(lay(copy(name, "/x/"), context, EMPTY)) == {f"/x/{name}": "content"}


def test_brackets_quote_a_wildcard(tmp_path: Path) -> None:
    context = make_tree(tmp_path / "context", {"a*b": "star", "aab": "plain", "a[b": "bracket"})
    found = files(lay(copy("a[*]b", "a[[]b", "/x/"), context, EMPTY))
    assert found == {"/x/a*b": "star", "/x/a[b": "bracket"}


# --- --exclude, --parents, --link


def test_exclude_is_relative_to_the_copied_directory(context: Path) -> None:
    layer = lay(copy("dir", "/x", exclude=("sub", "e*")), context, EMPTY)
    assert paths(layer) == ["/x/", "/x/c"]


def test_exclude_at_any_depth(context: Path) -> None:
    layer = lay(copy(".", "/x", exclude=("**/d", "*.txt")), context, EMPTY)
    assert paths(layer) == ["/x/", "/x/dir/", "/x/dir/c", "/x/dir/empty/", "/x/dir/sub/"]


def test_exclude_with_an_exception(context: Path) -> None:
    layer = lay(copy(".", "/x", exclude=("*", "!dir/sub/d")), context, EMPTY)
    assert paths(layer) == ["/x/", "/x/dir/", "/x/dir/sub/", "/x/dir/sub/d"]


def test_exclude_reaches_files_matched_directly(context: Path) -> None:
    layer = lay(copy("*.txt", "/x/", exclude=("a*",)), context, EMPTY)
    assert files(layer) == {"/x/b.txt": "B"}


def test_parents_keep_the_directories_of_a_source(context: Path) -> None:
    layer = lay(copy("dir/sub/d", "a.txt", "/x/", parents=True), context, EMPTY)
    assert paths(layer) == ["/x/", "/x/a.txt", "/x/dir/", "/x/dir/sub/", "/x/dir/sub/d"]


def test_parents_with_a_wildcard(context: Path) -> None:
    layer = lay(copy("*/sub", "/x/", parents=True), context, EMPTY)
    assert paths(layer) == ["/x/", "/x/dir/", "/x/dir/sub/", "/x/dir/sub/d"]


def test_parents_at_any_depth(context: Path) -> None:
    layer = lay(copy("**/d", "/x/", parents=True), context, EMPTY)
    assert paths(layer) == ["/x/", "/x/dir/", "/x/dir/sub/", "/x/dir/sub/d"]


def test_parents_from_a_pivot_on(context: Path) -> None:
    layer = lay(copy("dir/./sub/d", "/x/", parents=True), context, EMPTY)
    assert paths(layer) == ["/x/", "/x/sub/", "/x/sub/d"]


def test_parents_with_exclude(context: Path) -> None:
    layer = lay(copy("dir", "/x/", parents=True, exclude=("dir/sub",)), context, EMPTY)
    assert paths(layer) == ["/x/", "/x/dir/", "/x/dir/c", "/x/dir/empty/"]


def test_parents_of_a_missing_source(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("dir/./nope", "/x/", parents=True), context, EMPTY)
    assert str(caught.value) == '"/dir/nope": not found'


def test_parents_created_on_the_way_take_the_metadata_of_the_source(
    context: Path, image: Path
) -> None:
    (context / "dir").chmod(0o711)
    make_tree(image, ["x/dir/"])
    (image / "x/dir").chmod(0o755)
    assert at(lay(copy("dir/c", "/x/", parents=True), context, image), "/x/dir").mode == 0o711


def test_link_makes_a_layer_that_does_not_depend_on_the_image(context: Path, image: Path) -> None:
    make_tree(image, {"way": "-> /opt"})
    (image / "opt").chmod(0o700)
    layer = lay(copy("a.txt", "/way/", link=True), context, image)
    assert (paths(layer), at(layer, "/way").mode) == (["/way/", "/way/a.txt"], 0o755)


def test_link_is_ignored_with_chmod(context: Path, image: Path) -> None:
    make_tree(image, {"way": "-> /opt"})
    layer = lay(copy("a.txt", "/way/", link=True, chmod="600"), context, image)
    assert paths(layer) == ["/opt/", "/opt/a.txt"]


# --- here-documents


def test_inline_files_come_after_paths(context: Path) -> None:
    inline = (InlineFile("a.txt", b"inline"), InlineFile("robots", b"none"))
    layer = lay(copy("a.txt", "/x/", files=inline), context, EMPTY)
    assert files(layer) == {"/x/a.txt": "inline", "/x/robots": "none"}


def test_inline_file_has_its_own_mode_and_the_time_of_the_build() -> None:
    inline = (InlineFile("robots", b"none"),)
    found = at(lay(copy("/x", files=inline, chown="7"), EMPTY, EMPTY), "/x")
    assert (found.mode, found.uid, found.mtime_ns) == (0o644, 7, NOW * 10**9)


# --- COPY of remote things


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("https://example.com/x", "source can't be a URL for COPY"),
        ("https://example.com/x.git", "source can't be a git ref for COPY"),
        ("git@example.com:x/y", "source can't be a git ref for COPY"),
    ],
)
def test_copy_takes_nothing_remote(source: str, message: str) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy(source, "/x"), EMPTY, EMPTY)
    assert str(caught.value) == message


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
