"""Digests of selections: what they see, what they do not, and what they remember."""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.files.rootfs import Entry, EntryKind, Rootfs
from pytest_zlayer.builder.copy import Selection, select
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.copy.select import Source, listing
from pytest_zlayer.builder.copy.walk import Walked
from pytest_zlayer.builder.files.directory import ContextRootfs
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation, InlineFile
from tests.builder.support import add, copy, make_tree

FILES = {"a": "A", "d/b": "B", "d/c": "x" * 100_000, "d/link": "-> b", "same": "A", "z": "Z"}


def later() -> int:
    """The clock in an hour."""
    return time.time_ns() + 3600 * 10**9


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "context", FILES)


def selected(context: Path, operation: CopyOperation | None = None, **options: object) -> Selection:
    rootfs = ContextRootfs(context)
    return select(operation or copy(".", "/"), rootfs, **options)  # type: ignore[arg-type]


def digest(context: Path, operation: CopyOperation | None = None, **options: object) -> str:
    return selected(context, operation, **options).digest(Digests(None))


def _touch(context: Path) -> None:
    os.utime(context / "a", ns=(0, 0))
    os.utime(context, ns=(0, 0))


def _rewrite(context: Path) -> None:
    (context / "a").unlink()
    (context / "a").write_text("A")


def _copied_elsewhere(context: Path) -> None:
    make_tree(context.parent / "other", FILES)
    context.rename(context.parent / "gone")
    (context.parent / "other").rename(context)


@pytest.mark.parametrize("change", [_touch, _rewrite, _copied_elsewhere])
def test_digest_does_not_see(context: Path, change: Callable[[Path], None]) -> None:
    before = digest(context)
    change(context)
    assert digest(context) == before


def _link_elsewhere(root: Path) -> None:
    (root / "d/link").unlink()
    (root / "d/link").symlink_to("c")


def _link_hard(root: Path) -> None:
    (root / "same").unlink()
    (root / "same").hardlink_to(root / "a")


def _file_for_link(root: Path) -> None:
    (root / "d/link").unlink()
    (root / "d/link").write_text("b")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "a").write_text("B"),
    "mode": lambda root: (root / "a").chmod(0o600),
    "directory mode": lambda root: (root / "d").chmod(0o700),
    "name": lambda root: (root / "a").rename(root / "aa"),
    "new empty directory": lambda root: (root / "new").mkdir(),
    "removal": lambda root: (root / "z").unlink(),
    "link target": _link_elsewhere,
    "hard link": _link_hard,
    "file for a link": _file_for_link,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_digest_sees(context: Path, change: Callable[[Path], object]) -> None:
    before = digest(context)
    change(context)
    assert digest(context) != before


def test_digest_sees_extended_attributes(context: Path) -> None:
    before = digest(context)
    try:
        os.setxattr(context / "a", "user.note", b"1")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    first = digest(context)
    os.setxattr(context / "a", "user.note", b"2")
    assert len({before, first, digest(context)}) == 3


def test_digest_does_not_see_what_is_not_selected(context: Path) -> None:
    rules = IgnoreRules.parse("z")
    before = [digest(context, ignore=rules), digest(context, copy("d", "/"))]
    (context / "z").write_text("changed")
    assert [digest(context, ignore=rules), digest(context, copy("d", "/"))] == before


def linked(root: Path, *groups: str) -> Path:
    """Four files of one content; the names in each group are those of one file."""
    make_tree(root, dict.fromkeys("abcd", "content"))
    for first, *names in groups:
        for name in names:
            (root / name).unlink()
            (root / name).hardlink_to(root / first)
    return root


def test_digest_sees_which_names_are_those_of_one_file(tmp_path: Path) -> None:
    ways = [(), ("ab", "cd"), ("ac", "bd"), ("abcd",)]
    trees = [linked(tmp_path / str(number), *groups) for number, groups in enumerate(ways)]
    assert len(set(map(digest, trees))) == len(ways)


def test_digest_sees_the_order_of_sources(context: Path) -> None:
    assert digest(context, copy("a", "z", "/")) != digest(context, copy("z", "a", "/"))


def test_digest_sees_inline_files(context: Path) -> None:
    one = copy("/x", files=(InlineFile("x", b"1"),))
    assert digest(context, one) != digest(context, replace(one, files=(InlineFile("x", b"2"),)))


def test_digest_tells_unpacking_from_copying(context: Path) -> None:
    with tarfile.open(context / "t", "w") as archive:
        archive.add(context / "a", arcname="a")
    assert digest(context, add("t", "/")) != digest(context, copy("t", "/"))


class Numbers:
    """Fingerprints that say only which files were asked for."""

    def of_files(
        self, files: Iterable[tuple[Rootfs, Walked]], check: Callable[[], None]
    ) -> Iterator[str]:
        for _, node in files:
            check()
            yield f"print of {node.place}"


def test_digests_are_those_of_earlier_versions() -> None:
    def walked(path: str, kind: EntryKind, **more: Any) -> Walked:
        fields = {
            "mode": 0o755, "uid": 1, "gid": 2, "size": 3, "mtime_ns": 4, "device": None,
            "inode": (0, 0), "links": 1, "target": None,
        }  # fmt: skip
        return Walked(path, f"/place/{path}", Entry(kind, **{**fields, **more}))

    nodes = (
        walked("", "directory"),
        walked("one", "file", inode=(5, 6), links=2),
        walked("two", "file", inode=(5, 6), links=2),
        walked("way", "symlink", target="one"),
        replace(walked("zero", "character", device=(1, 5)), implied=True),
    )
    inline = select(copy("/x", files=(InlineFile("x", b"1"),)), EmptyRootfs()).sources
    selection = Selection((Source("d", "name", EmptyRootfs(), nodes), *inline))
    # What changes it makes all layers of COPY in all caches useless.
    assert selection.digest(Numbers())[:16] == "010d8f523ee0fb65"


# --- the cache


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "state" / "digests"


def hashed(context: Path, digests: Digests) -> int:
    before = digests.hashed
    selected(context).digest(digests)
    return digests.hashed - before


def test_unchanged_files_are_hashed_once(context: Path, cache: Path) -> None:
    digests = Digests(cache, clock=later)
    assert hashed(context, digests) > 0
    assert hashed(context, digests) == 0


def test_what_is_known_survives_the_process(context: Path, cache: Path) -> None:
    first = selected(context).digest(Digests(cache, clock=later))
    again = Digests(cache)
    assert selected(context).digest(again) == first
    assert again.hashed == 0


def wait_for_another_time(context: Path) -> None:
    """Until a change has a later time than all before it: older kernels have only ticks."""
    last = max(one.lstat().st_ctime_ns for one in context.rglob("*"))
    probe = context.parent / "probe"
    probe.touch()
    while probe.stat().st_ctime_ns <= last:
        probe.touch()


def test_changed_file_is_hashed_again(context: Path, cache: Path) -> None:
    digests = Digests(cache, clock=later)
    before = selected(context).digest(digests)
    wait_for_another_time(context)
    (context / "d/b").write_text("b")
    assert selected(context).digest(digests) != before


def test_file_changed_with_its_times_restored_is_seen(context: Path, cache: Path) -> None:
    digests = Digests(cache, clock=later)
    status = (context / "a").stat()
    before = selected(context).digest(digests)
    wait_for_another_time(context)
    (context / "a").write_text("B")  # same size
    os.utime(context / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert selected(context).digest(digests) != before


def test_file_changed_just_now_is_not_remembered(context: Path, cache: Path) -> None:
    changed = (context / "a").stat().st_ctime_ns
    digests = Digests(cache, clock=lambda: changed + 1)
    everything = hashed(context, digests)
    assert hashed(context, digests) == everything


@pytest.mark.parametrize(
    ("fraction", "age", "hashed"),
    [(4_000_000, 10**8, 2), (4_000_000, 10**8 + 1, 1), (0, 2 * 10**9, 2), (0, 2 * 10**9 + 1, 1)],
)
def test_a_file_has_to_be_older_where_times_are_whole_seconds(
    context: Path, cache: Path, fraction: int, age: int, hashed: int
) -> None:
    changed = 1_700_000_000 * 10**9 + fraction
    (source,) = selected(context, copy("a", "/")).sources
    (found,) = source.nodes
    node = replace(found, changed_ns=changed, entry=replace(found.entry, mtime_ns=changed))
    digests = Digests(cache, clock=lambda: changed + age)
    for _ in range(2):
        list(digests.of_files([(source.rootfs, node)]))
    assert digests.hashed == hashed


def test_a_file_whose_changes_nobody_tells_is_hashed_again(context: Path, cache: Path) -> None:
    digests = Digests(cache, clock=later)
    (source,) = selected(context, copy("a", "/")).sources
    files = [(source.rootfs, replace(node, changed_ns=0)) for node in source.nodes]
    for _ in range(2):
        list(digests.of_files(files))
    assert digests.hashed == 2


def test_single_file_is_remembered_too(context: Path, cache: Path) -> None:
    digests = Digests(cache, clock=later)
    selected(context, copy("d/c", "/x")).digest(digests)
    selected(context, copy("d/c", "/x")).digest(digests)
    assert digests.hashed == 1


def test_damaged_cache_is_forgotten(context: Path, cache: Path) -> None:
    make_tree(cache.parent, {"digests": '{"version": 1, "files": {"x": 1}}'})
    expected = selected(context).digest(Digests(None))
    assert selected(context).digest(Digests(cache)) == expected


def test_unwritable_cache_is_no_error(context: Path, tmp_path: Path) -> None:
    make_tree(tmp_path, ["file"])
    assert selected(context).digest(Digests(tmp_path / "file" / "digests"))


def test_what_cannot_be_kept_leaves_nothing_behind(context: Path, cache: Path) -> None:
    cache.mkdir(parents=True)  # a directory where the file should be
    assert selected(context).digest(Digests(cache, clock=later))
    assert [one.name for one in cache.parent.iterdir()] == ["digests"]


def test_files_are_listed_with_their_modes_and_digests(context: Path) -> None:
    for name, mode in (("a", 0o640), ("d/b", 0o600), ("d/c", 0o755)):
        (context / name).chmod(mode)
    digests = Digests(None)
    found = {path: (mode, digest) for path, mode, digest in listing(selected(context), digests)}
    assert {"a", "d/b", "d/c"} <= found.keys()
    assert [found[name][0] for name in ("a", "d/b", "d/c")] == [0o640, 0o600, 0o755]
    (alone,) = listing(selected(context, copy("d/c", "/x")), digests)
    assert alone == ("c", *found["d/c"])
    both = listing(selected(context, copy("a", "d", "/x/")), digests)
    assert {path for path, _, _ in both} == {"a", "d", "d/b", "d/c", "d/link"}


def test_files_nobody_asks_for_any_more_are_dropped(context: Path, cache: Path) -> None:
    selected(context).digest(Digests(cache, clock=later))
    for name in FILES:
        (context / name).unlink()
    for run in range(20):
        (context / "a").write_text("x" * run)
        selected(context).digest(Digests(cache, clock=later))
    assert "/d/c" not in cache.read_text()
