"""Digests of selections: what they see, what they do not, and what they remember."""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_zlayer.builder.copy import Selection, select
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.copy.select import listing
from pytest_zlayer.builder.files.directory import ContextRootfs
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation, InlineFile
from tests.builder.support import add, copy, make_tree

FILES = {"a": "A", "d/b": "B", "d/c": "x" * 100_000, "d/link": "-> b", "z": "Z"}


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
    (root / "z").unlink()
    (root / "z").hardlink_to(root / "a")


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


def test_digest_sees_the_order_of_sources(context: Path) -> None:
    assert digest(context, copy("a", "z", "/")) != digest(context, copy("z", "a", "/"))


def test_digest_sees_inline_files(context: Path) -> None:
    one = copy("/x", files=(InlineFile("x", b"1"),))
    assert digest(context, one) != digest(context, replace(one, files=(InlineFile("x", b"2"),)))


def test_digest_tells_unpacking_from_copying(context: Path) -> None:
    with tarfile.open(context / "t", "w") as archive:
        archive.add(context / "a", arcname="a")
    assert digest(context, add("t", "/")) != digest(context, copy("t", "/"))


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
