"""The layer of a RUN: what it has changed in its container, found by comparing two scans."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from pytest_zlayer.buildah.files.changes import Change
from pytest_zlayer.buildah.files.rootfs import KINDS, Entry, Rootfs
from pytest_zlayer.builder.files.contents import TreeContent
from pytest_zlayer.builder.files.paths import sort_key
from pytest_zlayer.builder.oci.layer import LayerEntry, LayerKind

_NONE: Mapping[str, Entry] = {}


def difference(
    before: Mapping[str, Change],
    after: Mapping[str, Change],
    files: Rootfs,
    *,
    restored: Mapping[str, Entry] = _NONE,
) -> tuple[LayerEntry, ...]:
    """The entries of the layer that turns the state ``before`` into ``after``.

    Args:
        before, after: scans of the upper directory of one container.
        files: the upper directory itself, for the content of changed files.
        restored: directories in which this package has made and removed files, as they were
            before. One in which nothing else has changed is left out.
    """
    replaced = {
        path
        for path, one in after.items()
        if one.opaque and not (path in before and before[path].opaque)
    }
    entries = [
        *_written(before, after, replaced, files),
        *_deleted(before, after, replaced),
    ]
    changed = list(_without_restored(entries, restored))
    changed += _parents(changed, after)
    return tuple(sorted(changed, key=lambda one: sort_key(one.path)))


def _parents(entries: Sequence[LayerEntry], after: Mapping[str, Change]) -> Iterator[LayerEntry]:
    """The directories in which something has changed: a layer without them loses what they are."""
    known = {one.path for one in entries} | {"/"}
    for one in entries:
        path = posixpath.dirname(one.path)
        while path not in known:
            known.add(path)
            yield _entry(after[path], {}, False, None)
            path = posixpath.dirname(path)


def _within(path: str, directories: set[str]) -> bool:
    """Whether a path is one of these directories or lies in one."""
    if path in directories:
        return True
    while directories and path != "/":
        path = posixpath.dirname(path)
        if path in directories:
            return True
    return False


def _written(
    before: Mapping[str, Change],
    after: Mapping[str, Change],
    replaced: set[str],
    files: Rootfs,
) -> Iterator[LayerEntry]:
    first: dict[int, str] = {}
    for path, one in after.items():
        if path in before and _same(before[path], one) and not _within(path, replaced):
            continue
        if _is_whiteout(one):
            yield LayerEntry(path, "whiteout", 0)
        elif not stat.S_ISSOCK(one.mode):  # sockets belong to processes that are gone
            yield _entry(one, first, path in replaced, files)


def _is_whiteout(one: Change) -> bool:
    """How the overlay notes that what lies below is gone."""
    return stat.S_ISCHR(one.mode) and one.rdev == 0


def _same(known: Change, one: Change) -> bool:
    if not stat.S_ISDIR(one.mode):
        return known == one
    # The size and change time of a directory follow what is in it, as does the time of the root,
    # which is written only when a RUN has really done something to it.
    owned = (known.mode, known.uid, known.gid, known.xattrs)
    return owned == (one.mode, one.uid, one.gid, one.xattrs) and (
        one.path == "/" or known.mtime_ns == one.mtime_ns
    )


def _entry(one: Change, first: dict[int, str], opaque: bool, files: Rootfs | None) -> LayerEntry:
    kind = cast(LayerKind, KINDS[stat.S_IFMT(one.mode)])
    target = one.target
    content = None
    if kind != "directory":
        other = first.setdefault(one.inode, one.path)
        if other != one.path:
            kind, target = "hardlink", other
    if kind == "file" and files is not None:
        content = TreeContent(files, one.path, one.size)
    is_device = kind in ("character", "block")
    return LayerEntry(
        path=one.path,
        kind=kind,
        mode=stat.S_IMODE(one.mode),
        uid=one.uid,
        gid=one.gid,
        mtime_ns=one.mtime_ns,
        target=target,
        device=(os.major(one.rdev), os.minor(one.rdev)) if is_device else None,
        xattrs={} if kind == "hardlink" else dict(one.xattrs),
        content=content,
        opaque=opaque,
    )


def _deleted(
    before: Mapping[str, Change], after: Mapping[str, Change], replaced: set[str]
) -> Iterator[LayerEntry]:
    """What an earlier layer of this container has made and this RUN has removed."""
    for path, known in before.items():
        parent = posixpath.dirname(path)
        if path in after or _is_whiteout(known) or _within(parent, replaced):
            continue
        above = after.get(parent)
        # With a directory that is gone, what was in it has gone too.
        if above is not None and stat.S_ISDIR(above.mode):
            yield LayerEntry(path, "whiteout", 0)


def _without_restored(
    entries: list[LayerEntry], restored: Mapping[str, Entry]
) -> Iterator[LayerEntry]:
    parents = {posixpath.dirname(one.path) for one in entries}
    for one in entries:
        was = restored.get(one.path)
        untouched = (
            was is not None
            and one.kind == "directory"
            and one.path not in parents
            and (was.mode, was.uid, was.gid) == (one.mode, one.uid, one.gid)
        )
        if not untouched:
            yield one
