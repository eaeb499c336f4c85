"""What two looks at the upper directory of a container give as a layer."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from pytest_zlayer.buildah.files.changes import Change
from pytest_zlayer.buildah.files.rootfs import Entry, LocalRootfs
from pytest_zlayer.builder.oci.difference import difference
from pytest_zlayer.builder.oci.layer import LayerEntry

ROOT = Change("/", stat.S_IFDIR | 0o755, 0, 0, 4096, 1, 1, 0, 1, None, False, ())


def change(path: str, kind: int = stat.S_IFREG, mode: int = 0o644, **facts: object) -> Change:
    made = Change(path, kind | mode, 0, 0, 3, 5, 5, 0, abs(hash(path)) + 2, None, False, ())
    return replace(made, **facts)  # type: ignore[arg-type]


def folder(path: str, **facts: object) -> Change:
    return change(path, stat.S_IFDIR, 0o755, **facts)


def gone(path: str) -> Change:
    return change(path, stat.S_IFCHR, 0)


def layer(
    before: list[Change], after: list[Change], restored: dict[str, Entry] | None = None
) -> list[tuple[str, str]]:
    """Kind and path of each entry; an opaque directory with an exclamation mark."""
    return [
        (f"{one.kind}{'!' if one.opaque else ''}", one.path)
        for one in entries(before, after, restored)
    ]


def entries(
    before: list[Change], after: list[Change], restored: dict[str, Entry] | None = None
) -> tuple[LayerEntry, ...]:
    return difference(
        {one.path: one for one in (ROOT, *before)},
        {one.path: one for one in (ROOT, *after)},
        LocalRootfs(Path("/")),
        restored=restored or {},
    )


def test_what_is_new_is_written() -> None:
    found = layer([], [folder("/d"), change("/d/f"), change("/l", stat.S_IFLNK, target="f")])
    assert found == [("directory", "/d"), ("file", "/d/f"), ("symlink", "/l")]
    (link,) = entries([], [change("/l", stat.S_IFLNK, target="f")])
    assert link.target == "f"


def test_what_has_not_changed_is_not() -> None:
    assert layer([change("/f")], [change("/f")]) == []


def test_change_time_alone_tells_a_change() -> None:
    assert layer([change("/f")], [change("/f", ctime_ns=6)]) == [("file", "/f")]


def test_directory_is_reported_by_its_time_not_by_that_of_its_inode() -> None:
    assert layer([folder("/d")], [folder("/d", ctime_ns=6, size=9)]) == []
    assert layer([folder("/d")], [folder("/d", mtime_ns=6)]) == [("directory", "/d")]


def test_time_of_the_root_does_not_count_but_its_mode_does() -> None:
    before = {"/": ROOT}
    later, closed = replace(ROOT, mtime_ns=9), replace(ROOT, mode=stat.S_IFDIR | 0o700)
    assert difference(before, {"/": later}, LocalRootfs(Path("/"))) == ()
    (found,) = difference(before, {"/": closed}, LocalRootfs(Path("/")))
    assert (found.kind, found.path, found.mode) == ("directory", "/", 0o700)


def test_what_lies_below_is_deleted_by_a_mark_of_the_overlay() -> None:
    assert layer([], [gone("/f")]) == [("whiteout", "/f")]
    assert layer([gone("/f")], [gone("/f")]) == []


def test_what_an_earlier_run_made_is_deleted_though_the_overlay_forgets_it() -> None:
    before = [folder("/d"), change("/d/f"), folder("/d/e"), change("/d/e/g")]
    assert layer(before, [folder("/d")]) == [
        ("directory", "/d"),
        ("whiteout", "/d/e"),
        ("whiteout", "/d/f"),
    ]
    assert layer(before, []) == [("whiteout", "/d")]


def test_directory_in_place_of_a_file_and_the_other_way_round() -> None:
    assert layer([change("/x")], [folder("/x"), change("/x/f")]) == [
        ("directory", "/x"),
        ("file", "/x/f"),
    ]
    assert layer([folder("/x"), change("/x/f")], [change("/x")]) == [("file", "/x")]


def test_directory_that_hides_what_lies_below_is_written_whole() -> None:
    before = [folder("/d"), change("/d/f")]
    after = [folder("/d", opaque=True), change("/d/f")]
    assert layer(before, after) == [("directory!", "/d"), ("file", "/d/f")]
    assert layer(after, after) == []


def test_in_a_hiding_directory_of_an_earlier_run_deletions_are_reported() -> None:
    before = [folder("/d", opaque=True), change("/d/f")]
    assert layer(before, [folder("/d", opaque=True)]) == [
        ("directory", "/d"),
        ("whiteout", "/d/f"),
    ]


def test_names_of_one_file_are_hard_links_of_the_first() -> None:
    found = entries([], [change("/a", inode=7), change("/b", inode=7)])
    assert [(one.kind, one.path, one.target) for one in found] == [
        ("file", "/a", None),
        ("hardlink", "/b", "/a"),
    ]


def test_sockets_are_left_out() -> None:
    assert layer([], [change("/s", stat.S_IFSOCK)]) == []


def test_parents_come_first_whatever_their_names() -> None:
    found = layer([], [folder("/a"), change("/a/x"), change("/a-b"), change("/a.b")])
    assert [path for _, path in found] == ["/a", "/a/x", "/a-b", "/a.b"]


def test_directories_on_the_way_are_reported_though_they_have_not_changed() -> None:
    before = [folder("/d"), replace(folder("/d/e"), mode=stat.S_IFDIR | 0o700, uid=7)]
    found = entries(before, [*before, change("/d/e/f")])
    assert [one.path for one in found] == ["/d", "/d/e", "/d/e/f"]
    assert (found[1].mode, found[1].uid) == (0o700, 7)


def test_directory_in_which_only_mount_points_were_is_left_out() -> None:
    was = Entry("directory", 0o755, 0, 0, 0, 3, None, (0, 0), 2, None)
    run = folder("/run", mtime_ns=8)
    assert layer([], [run], {"/run": was}) == []
    assert layer([], [run, change("/run/pid")], {"/run": was}) == [
        ("directory", "/run"),
        ("file", "/run/pid"),
    ]
    assert layer([], [replace(run, uid=5)], {"/run": was}) == [("directory", "/run")]


def test_a_device_node_keeps_its_numbers_and_a_file_has_none() -> None:
    node = change("/n", stat.S_IFCHR, 0o600, rdev=os.makedev(1, 7))
    plain, device = sorted(entries([], [node, change("/a")]), key=lambda one: one.path)
    assert (plain.device, device.device) == (None, (1, 7))
    assert plain.content is not None
    assert plain.size == 3
    assert device.content is None


def test_only_the_first_name_of_a_file_carries_its_attributes() -> None:
    capability = (("security.capability", b"\x01"),)
    names = [change(path, inode=7, xattrs=capability) for path in ("/a", "/b")]
    found = entries([], names)
    assert [(one.kind, one.xattrs) for one in found] == [
        ("file", dict(capability)),
        ("hardlink", {}),
    ]
