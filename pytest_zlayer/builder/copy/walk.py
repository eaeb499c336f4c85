"""Walking a source tree under an ignore file, ``--exclude`` and ``--parents`` patterns."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Protocol

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs
from pytest_zlayer.builder.files.paths import Found, components, find, join, look, scan
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules


class RuleState(Protocol):
    """How far ignore rules have been matched along a path."""

    @property
    def may_reinclude(self) -> bool:
        """Whether a rule may yet re-include something below."""
        ...

    def child(self, name: str) -> tuple[bool, RuleState]:
        """Whether the entry ``name`` is excluded, and the state to go on with below it."""
        ...


@dataclass(frozen=True, slots=True)
class Walked:
    """A file that is to be copied.

    Attributes:
        path: where, relative to the source; ``""`` for the source itself.
        place: the absolute path in the source's tree; no link in it.
        entry: what it is.
        changed_ns: change time of the inode, 0 if unknown.
        implied: a directory that only holds something selected: an existing directory at the
            destination keeps its owner.
    """

    path: str
    place: str
    entry: Entry
    changed_ns: int = 0
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Filters:
    """What of a source is taken: patterns are relative to the source.

    ``literal`` are the names that every included path begins with, so that a walk need not look
    elsewhere.
    """

    exclude: IgnoreRules | None = None
    include: IgnoreRules | None = None
    literal: tuple[str, ...] = ()


class Presence:
    """A tree in which what the ignore rules exclude does not exist.

    ``check`` raises when walking it is to stop.
    """

    def __init__(
        self, rootfs: Rootfs, ignore: IgnoreRules | None, check: Callable[[], None] = go_on
    ) -> None:
        self.rootfs = rootfs
        self.ignore = ignore
        self.check = check

    def lstat(self, path: str) -> Entry | None:
        """The entry at a path, ``None`` when there is none or it is excluded."""
        entry = look(self.rootfs, path)
        if entry is None or not self.is_ignored(path):
            return entry
        if entry.kind != "directory":
            return None
        below = walk(self, path, Filters())
        return entry if next(below, None) is not None else None

    def is_ignored(self, path: str) -> bool:
        """Whether the rules exclude the path itself; something below may still be re-included."""
        return self.ignore is not None and path != "/" and self.ignore.excludes(path[1:])

    def state(self, path: str) -> tuple[bool, RuleState | None]:
        """Whether a path is excluded, and the state to go on from there."""
        if self.ignore is None:
            return False, None
        excluded, state = False, self.ignore.root()
        for name in components(path):
            excluded, state = state.child(name)
        return excluded, state


@dataclass(slots=True)
class _Directory:
    """A directory on the way down; it is emitted with the first thing selected in it."""

    node: Walked
    emitted: bool
    parent: _Directory | None


@dataclass(frozen=True, slots=True)
class _States:
    """How far each set of rules has been matched along the path."""

    ignore: RuleState | None
    exclude: RuleState | None
    include: RuleState | None


def walk(presence: Presence, place: str, filters: Filters) -> Iterator[Walked]:
    """The source at ``place`` (no link in it) and what is selected below, parents first.

    Nothing at all when the source is an ignored directory without anything re-included.
    """
    found = find(presence.rootfs, place)
    entry = found.entry
    ignored, state = presence.state(place)
    node = Walked("", place, entry, found.changed_ns)
    if entry.kind != "directory":
        if not ignored:
            yield node
        return
    top = _Directory(node, emitted=not ignored, parent=None)
    if top.emitted:
        yield node
    states = _States(
        state,
        filters.exclude.root() if filters.exclude else None,
        filters.include.root() if filters.include else None,
    )
    yield from _below(presence, top, states, filters.literal)


@dataclass(frozen=True, slots=True)
class _Level:
    """A directory that is being walked, with what is left of its entries."""

    directory: _Directory
    entries: Iterator[Found]
    states: _States
    literal: tuple[str, ...]


def _below(
    presence: Presence, top: _Directory, states: _States, literal: tuple[str, ...]
) -> Iterator[Walked]:
    def opened(directory: _Directory, states: _States, literal: tuple[str, ...]) -> _Level:
        presence.check()
        return _Level(directory, iter(scan(presence.rootfs, directory.node.place)), states, literal)

    levels = [opened(top, states, literal)]  # no recursion: trees may be deeper than Python's stack
    while levels:
        level = levels[-1]
        found = next(level.entries, None)
        if found is None:
            levels.pop()
        elif not level.literal or found.name == level.literal[0]:
            deeper = yield from _one(level, found)
            if deeper is not None:
                levels.append(opened(*deeper, level.literal[1:]))


def _one(level: _Level, found: Found) -> Generator[Walked, None, tuple[_Directory, _States] | None]:
    """An entry if it is selected; for a directory that may hold more: what to go on with."""
    directory, states, name = level.directory, level.states, found.name
    path = f"{directory.node.path}/{name}" if directory.node.path else name
    node = Walked(path, join(directory.node.place, name), found.entry, found.changed_ns)
    ignored, ignore = states.ignore.child(name) if states.ignore else (False, None)
    excluded, exclude = states.exclude.child(name) if states.exclude else (False, None)
    included, include = states.include.child(name) if states.include else (True, None)
    taken = included and not excluded
    if found.entry.kind != "directory":
        if taken and not ignored:
            yield from _ancestors(directory)
            yield node
        return None
    if _hopeless(ignored, ignore) or _hopeless(excluded, exclude):
        return None
    here = _Directory(replace(node, implied=not taken), taken and not ignored, directory)
    if here.emitted:
        yield from _ancestors(directory)
        yield here.node
    return here, _States(ignore, exclude, include)


def _hopeless(excluded: bool, state: RuleState | None) -> bool:
    return excluded and state is not None and not state.may_reinclude


def _ancestors(directory: _Directory | None) -> Iterator[Walked]:
    """The directories above something selected that were not emitted yet, outermost first."""
    found: list[_Directory] = []
    while directory is not None and not directory.emitted:
        found.append(directory)
        directory = directory.parent
    for one in reversed(found):
        one.emitted = True
        yield one.node
