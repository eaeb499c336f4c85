"""What a COPY takes: literal sources, links, wildcards, exclusions, parents."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pytest_zlayer.builder.copy import CopyError, layout, select
from pytest_zlayer.builder.files.directory import ContextRootfs
from pytest_zlayer.builder.files.paths import EmptyRootfs
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


# --- sources


def test_missing_source(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("nothing/like/INDEX", "/"), context, EMPTY)
    assert str(caught.value) == '"/nothing/like/INDEX": not found'


def test_missing_source_with_a_near_name(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("dir/sbu", "/"), context, EMPTY)
    assert str(caught.value) == '"/dir/sbu": not found\nhint: did you mean dir/sub?'


def test_ignored_source_is_missing_and_the_hint_says_why(context: Path) -> None:
    with pytest.raises(CopyError) as caught:
        lay(copy("a.txt", "/"), context, EMPTY, ignore="*.txt")
    assert str(caught.value) == (
        '"/a.txt": not found\nhint: it exists but the ignore file excludes it: *.txt'
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
def test_links_out_of_the_context_lead_nowhere(context: Path, tmp_path: Path, outside: str) -> None:
    (tmp_path / "outside").write_text("secret")
    (context / "link").symlink_to(outside)
    with pytest.raises(CopyError) as caught:
        lay(copy("link", "/x"), context, EMPTY)
    assert str(caught.value) == (
        f'"/link": not found\nhint: it is a link to {outside}, which does not exist here'
    )


def test_link_to_a_file_gives_its_content_under_the_name_of_the_link(context: Path) -> None:
    (context / "link").symlink_to("a.txt")
    assert files(lay(copy("link", "/x/"), context, EMPTY)) == {"/x/link": "A"}


def test_link_to_a_directory_gives_its_contents(context: Path) -> None:
    (context / "link").symlink_to("/dir/sub")
    assert paths(lay(copy("link", "/x"), context, EMPTY)) == ["/x/", "/x/d"]


@pytest.mark.skipif(am_root, reason="root may read everything")
def test_unreadable_directory(context: Path) -> None:
    (context / "dir/sub").chmod(0)
    with pytest.raises(CopyError) as caught:
        lay(copy("dir", "/"), context, EMPTY)
    assert str(caught.value) == "cannot read /dir/sub: Permission denied"


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


def test_exclude_does_not_reach_the_copied_directory_itself(context: Path) -> None:
    assert paths(lay(copy("dir/sub", "/x", exclude=("sub",)), context, EMPTY)) == ["/x/", "/x/d"]


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


def test_parents_of_a_source_that_is_excluded_or_missing(context: Path) -> None:
    layer = lay(copy("dir/c", "/x/", parents=True, exclude=("dir/c",)), context, EMPTY)
    assert paths(layer) == ["/x/"]
    with pytest.raises(CopyError) as caught:
        lay(copy("dir/nope", "/x/", parents=True, exclude=("dir/c",)), context, EMPTY)
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


def test_the_hint_is_looked_for_in_so_many_files_only(context: Path) -> None:
    make_tree(context, [f"many/{number}" for number in range(2000)])
    make_tree(context, ["many/wanted", "more/inside/wanted", "more/inside/other"])
    for name, hint in (("wanted", "\nhint: there is many/wanted"), ("other", "")):
        with pytest.raises(CopyError) as caught:
            lay(copy(f"elsewhere/{name}", "/"), context, EMPTY)
        assert str(caught.value) == f'"/elsewhere/{name}": not found{hint}'


def test_the_hint_names_no_file_that_is_ignored(context: Path) -> None:
    for ignore, hint in (("other", "\nhint: there is dir/sub/d"), ("dir/sub", "")):
        with pytest.raises(CopyError) as caught:
            lay(copy("elsewhere/d", "/"), context, EMPTY, ignore=ignore)
        assert str(caught.value) == f'"/elsewhere/d": not found{hint}'
