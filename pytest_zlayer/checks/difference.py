"""How two images differ: their files and their configurations."""

from __future__ import annotations

import stat as mode_bits
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from pytest_zlayer.checks import words
from pytest_zlayer.checks.files import digest
from pytest_zlayer.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_zlayer.checks.subjects import FilePath, HasConfig, HasFiles, Stat
    from pytest_zlayer.dockerfile.operations.image_config import ImageConfig

    class Comparable(HasFiles, HasConfig, Protocol):
        """What can be compared."""


_LETTERS = {
    "file": mode_bits.S_IFREG,
    "directory": mode_bits.S_IFDIR,
    "symlink": mode_bits.S_IFLNK,
    "character": mode_bits.S_IFCHR,
    "block": mode_bits.S_IFBLK,
    "fifo": mode_bits.S_IFIFO,
    "socket": mode_bits.S_IFSOCK,
}
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class DiffEntry:
    """A file that is in one image only, or not the same in both.

    Attributes:
        path: where it is.
        type: ``file``, ``directory``, ``symlink``, ``character``, ``block``, ``fifo``, ``socket``.
        mode: permission bits (``0o7777``).
        uid, gid: owner.
        size: bytes of a file's content, 0 for anything else.
        digest: ``sha256:…`` of a file's content, else ``None``.
        target: where a symbolic link points, else ``None``.
        before: of a changed file, what it was.
    """

    path: str
    type: str
    mode: int
    uid: int
    gid: int
    size: int
    digest: str | None = None
    target: str | None = None
    before: DiffEntry | None = field(default=None, repr=False)

    @property
    def permissions(self) -> str:
        """As ``ls -l`` shows them: ``-rw-r--r--``."""
        return mode_bits.filemode(_LETTERS[self.type] | self.mode)

    def changes(self) -> list[str]:
        """What is not as it was, in words."""
        if self.before is None:
            return []
        old = self.before
        shown = {
            "type": (old.type, self.type),
            "mode": (words.mode_text(old.mode), words.mode_text(self.mode)),
            "owner": (f"{old.uid}:{old.gid}", f"{self.uid}:{self.gid}"),
            "size": (words.size_text(old.size), words.size_text(self.size)),
            "target": (str(old.target), str(self.target)),
        }
        changes = [f"{name} {one} -> {two}" for name, (one, two) in shown.items() if one != two]
        if old.digest != self.digest and old.type == self.type:
            changes.append("content")
        return changes


@dataclass(frozen=True, slots=True)
class ImageDiff:
    """What has to be done to one image to have another one; false when they are equal.

    Times of files do not count.

    Attributes:
        added: what only the other image has, ordered by path.
        removed: what only the first one has.
        changed: what both have but not alike, as the other one has it; ``before`` is the first's.
        config: names of the fields of the configuration that differ, with both values.
    """

    added: tuple[DiffEntry, ...] = ()
    removed: tuple[DiffEntry, ...] = ()
    changed: tuple[DiffEntry, ...] = ()
    config: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.config)

    def __repr__(self) -> str:
        numbers = (
            f"{len(self.added)} added, {len(self.removed)} removed, {len(self.changed)} changed"
        )
        names = [*sorted(self.paths), *(f"config {one}" for one in self.config)]
        shown = ", ".join(names[:5])
        return f"<ImageDiff: {numbers}: {shown}{', …' if len(names) > 5 else ''}>"

    @property
    def paths(self) -> frozenset[str]:
        """Every path that is added, removed or changed."""
        return frozenset(one.path for one in (*self.added, *self.removed, *self.changed))

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self, most: int = _MOST_SHOWN) -> list[str]:
        """The differences as a table, at most so many lines of it."""
        if not self:
            return ["no difference"]
        rows = [("added", one) for one in self.added]
        rows += [("removed", one) for one in self.removed]
        rows += [("changed", one) for one in self.changed]
        lines = [_row(what, one) for what, one in sorted(rows, key=lambda row: row[1].path)]
        return words.shortened([*lines, *self._config_lines()], most)

    def _config_lines(self) -> Iterator[str]:
        for name, (old, new) in self.config.items():
            if isinstance(old, Mapping) and isinstance(new, Mapping):
                for key in sorted({*old, *new}):
                    if old.get(key) != new.get(key):
                        yield f"config   {name} {key}: {_value(old, key)} -> {_value(new, key)}"
            else:
                yield f"config   {name}: {_plain(old)!r} -> {_plain(new)!r}"


def _value(values: Mapping[str, Any], key: str) -> str:
    return repr(values[key]) if key in values else "not set"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _row(what: str, one: DiffEntry) -> str:
    owner = f"{one.uid}:{one.gid}"
    size = words.size_text(one.size) if one.type == "file" else ""
    path = one.path if one.target is None else f"{one.path} -> {one.target}"
    changes = f"  ({', '.join(one.changes())})" if one.before else ""
    return f"{what:<8} {one.permissions} {owner:>7} {size:>8}  {path}{changes}"


def compare(first: Comparable, other: Comparable) -> ImageDiff:
    """How ``other`` differs from ``first``."""
    old, new = dict(_entries(first)), dict(_entries(other))
    added = [_whole(*new[path]) for path in sorted(new.keys() - old.keys())]
    removed = [_whole(*old[path]) for path in sorted(old.keys() - new.keys())]
    changed = []
    for path in sorted(old.keys() & new.keys()):
        found = _compared(old[path], new[path])
        if found is not None:
            changed.append(found)
    config = compare_configs(first.config, other.config)
    return ImageDiff(tuple(added), tuple(removed), tuple(changed), config)


def compare_configs(first: ImageConfig, other: ImageConfig) -> Mapping[str, tuple[Any, Any]]:
    """The fields of two configurations that differ, with both values."""
    pairs = {
        one.name: (getattr(first, one.name), getattr(other, one.name)) for one in fields(first)
    }
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


_Found = tuple["FilePath", "DiffEntry"]


def _entries(subject: HasFiles) -> Iterable[tuple[str, _Found]]:
    for path, facts in subject.path("/").walk():
        yield str(path), (path, entry_of(path, facts))


def entry_of(path: FilePath, facts: Stat) -> DiffEntry:
    """A file as an entry, without the digest of its content."""
    is_file, is_link = facts.kind == "file", facts.kind == "symlink"
    return DiffEntry(
        path=str(path),
        type=facts.kind,
        mode=facts.mode,
        uid=facts.uid,
        gid=facts.gid,
        size=facts.size if is_file else 0,
        target=path.readlink() if is_link else None,
    )


def _whole(path: FilePath, entry: DiffEntry) -> DiffEntry:
    return replace(entry, digest=f"sha256:{digest(path)}") if entry.type == "file" else entry


def _compared(old: _Found, new: _Found) -> DiffEntry | None:
    """The entry as it is now if it has changed; contents are read only where they may differ."""
    before, now = old[1], new[1]
    if before == now and now.type != "file":
        return None
    before, now = _whole(*old), _whole(*new)
    return None if before == now else replace(now, before=before)
