"""Why the source of a COPY is not there: ignored, a dead link, misspelt, or somewhere else."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterator

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.copy.walk import Presence
from pytest_zlayer.builder.files.paths import Found, follow, join, look, scan
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.values.suggest import suggest

# So much of a tree is looked at for a file of the same name.
_MOST_LOOKED_AT = 2000
_MOST_NAMED = 3


def why_missing(presence: Presence, path: str) -> str | None:
    """A hint for an absolute path that a tree does not have.

    Raises:
        OSError: links of the path go round in circles.
    """
    rules = presence.ignore
    if rules is not None and presence.is_ignored(path) and look(presence.rootfs, path) is not None:
        return f"it exists but the ignore file excludes it: {_rule(rules, path)}"
    entry = presence.lstat(path)
    if entry is not None and entry.kind == "symlink":
        return f"it is a link to {entry.target}, which does not exist here"
    return _near(presence, path)


def _rule(rules: IgnoreRules, path: str) -> str:
    rule = rules.deciding(path[1:])
    return "" if rule is None else rule.text


def _near(presence: Presence, path: str) -> str | None:
    directory, name = posixpath.split(path)
    try:
        names = [found.name for found in _visible(presence, follow(presence.lstat, directory))]
    except OSError:
        names = []
    meant = suggest(name, names)
    if meant is not None:
        return f"did you mean {join(directory, meant)[1:]}?"
    there = sorted(_of_the_same_name(presence, name))[:_MOST_NAMED]
    return f"there is {' and '.join(one[1:] for one in there)}" if there else None


def _visible(presence: Presence, directory: str) -> list[Found]:
    found = scan(presence.rootfs, directory)
    return [one for one in found if not presence.is_ignored(join(directory, one.name))]


def _of_the_same_name(presence: Presence, name: str) -> Iterator[str]:
    """Paths that end in ``name``, those near the root first, as far as one looks."""
    waiting, left = deque(["/"]), _MOST_LOOKED_AT
    while waiting and left > 0:
        directory = waiting.popleft()
        for found in _readable(presence.rootfs, directory):
            left -= 1
            path = join(directory, found.name)
            if presence.is_ignored(path):
                continue
            if found.name == name:
                yield path
            if found.entry.kind == "directory" and found.name != ".git":
                waiting.append(path)


def _readable(rootfs: Rootfs, directory: str) -> list[Found]:
    try:
        return scan(rootfs, directory)
    except OSError:
        return []
