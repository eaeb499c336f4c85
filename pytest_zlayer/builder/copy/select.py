"""What a COPY or ADD takes: sources matched, filtered and listed, apart from where they go."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from pytest_zlayer.buildah.files.rootfs import Entry, LocalRootfs, Rootfs
from pytest_zlayer.builder.copy.archives import Archive, is_archive
from pytest_zlayer.builder.copy.missing import why_missing
from pytest_zlayer.builder.copy.remote import Fetched, remote_kind
from pytest_zlayer.builder.copy.walk import Filters, Presence, Walked, walk
from pytest_zlayer.builder.files.contents import Content, InlineContent, TreeContent
from pytest_zlayer.builder.files.directory import DiskTree
from pytest_zlayer.builder.files.paths import (
    EmptyRootfs,
    clean,
    components,
    follow,
    join,
    scan,
)
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation, InlineFile
from pytest_zlayer.dockerfile.values.pathmatch import go_match
from pytest_zlayer.dockerfile.values.quoting import go_quote

Fetch = Callable[[str, CopyOperation], Fetched]

_XATTRS_KEPT = ("user.", "security.capability")
# Book-keeping of storage drivers, not of the image.
_XATTRS_DROPPED = ("user.overlay.", "user.fuseoverlayfs.", "user.containers.")


def kept_xattrs(found: dict[str, bytes]) -> dict[str, bytes]:
    """The extended attributes that a layer carries: ``user.*`` and file capabilities."""
    return {
        name: value
        for name, value in found.items()
        if name.startswith(_XATTRS_KEPT) and not name.startswith(_XATTRS_DROPPED)
    }


@dataclass(frozen=True, slots=True)
class Source:
    """One matched source: a file or a tree, parents before children.

    Attributes:
        text: the source as written.
        name: what a file is called inside a destination directory.
        rootfs: where the nodes' ``place`` is looked up.
        nodes: what it holds; the first is the source itself, at ``path`` ``""``.
        content: the bytes of an inline file, which no tree has.
        archive: set when the file is to be unpacked.
    """

    text: str
    name: str
    rootfs: Rootfs
    nodes: tuple[Walked, ...]
    content: InlineContent | None = None
    archive: Archive | None = None

    def content_of(self, node: Walked) -> Content:
        """The bytes of a regular file."""
        if self.content is not None:
            return self.content
        return TreeContent(self.rootfs, node.place, node.entry.size)

    def xattrs_of(self, node: Walked) -> dict[str, bytes]:
        """The extended attributes that are copied."""
        if self.content is not None:
            return {}
        return kept_xattrs(dict(self.rootfs.xattrs(node.place)))


class Fingerprints(Protocol):
    """Digests of files: hexadecimal, over content and extended attributes."""

    def of_files(
        self, files: Iterable[tuple[Rootfs, Walked]], check: Callable[[], None]
    ) -> Iterator[str]:
        """One digest for each file, in order; ``check`` raises when this is to stop."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """All sources of one instruction in the order in which they are copied.

    ``warnings`` are sentences about what was left out.
    """

    sources: tuple[Source, ...]
    warnings: tuple[str, ...] = ()

    def digest(self, digests: Fingerprints, check: Callable[[], None] = go_on) -> str:
        """A hexadecimal digest of all that ends in the image but times.

        ``check`` raises when this is to stop.
        """
        summary = hashlib.sha256()
        for source in self.sources:
            for part in _describe(source, digests, check):
                data = part.encode("utf-8", "surrogateescape")
                summary.update(len(data).to_bytes(8, "big") + data)
        return summary.hexdigest()


def listing(
    selection: Selection, digests: Fingerprints, check: Callable[[], None] = go_on
) -> Iterator[tuple[str, int, str]]:
    """The path, mode and digest of everything that is taken from a context."""
    for source in selection.sources:
        prints = _fingerprints(source, digests, check)
        for node, fingerprint in zip(source.nodes, prints, strict=True):
            path = posixpath.join(source.name, node.path) if node.path else source.name
            yield path, node.entry.mode, fingerprint


def _describe(source: Source, digests: Fingerprints, check: Callable[[], None]) -> Iterator[str]:
    yield "archive" if source.archive else "source"
    yield source.name
    yield str(len(source.nodes))
    names: dict[tuple[int, int], int] = {}
    for node, fingerprint in zip(source.nodes, _fingerprints(source, digests, check), strict=True):
        entry = node.entry
        linked = entry.kind == "file" and entry.links > 1
        group = names.setdefault(entry.inode, len(names)) if linked else -1
        yield node.path
        yield (
            f"{entry.kind} {entry.mode:o} {entry.uid}:{entry.gid} {entry.device} "
            f"{group} {node.implied} {fingerprint}"
        )
        yield entry.target or ""


def _fingerprints(
    source: Source, digests: Fingerprints, check: Callable[[], None]
) -> Iterator[str]:
    if source.content is not None:
        yield hashlib.sha256(source.content.data).hexdigest()
        return
    yield from digests.of_files(((source.rootfs, node) for node in source.nodes), check)


# --- selecting ----------------------------------------------------------------------------------


def select(
    operation: CopyOperation,
    source: Rootfs,
    *,
    ignore: IgnoreRules | None = None,
    fetch: Fetch | None = None,
    check: Callable[[], None] = go_on,
) -> Selection:
    """Match, filter and list the sources of a COPY or ADD.

    Args:
        operation: the instruction, expanded.
        source: the files it takes from: the context, a stage, an image.
        ignore: rules of the context's ignore file; what they exclude does not exist.
        fetch: gets what ADD names by URL or git reference.
        check: raises when this is to stop.

    Raises:
        CopyError: a source is missing or cannot be read, or a pattern is malformed.
    """
    if isinstance(source, LocalRootfs):
        source = DiskTree(source.root)
    try:
        return _Selector(operation, source, ignore, fetch, check).run()
    except OSError as error:
        raise CopyError(f"cannot read {error.filename}: {error.strerror}") from error


class _Selector:
    def __init__(
        self,
        operation: CopyOperation,
        source: Rootfs,
        ignore: IgnoreRules | None,
        fetch: Fetch | None,
        check: Callable[[], None],
    ) -> None:
        self._operation = operation
        self._rootfs = source
        self._presence = Presence(source, ignore, check)
        self._check = check
        self._fetch = fetch
        self._warnings: list[str] = []
        self._exclude = _patterns(operation.exclude) if operation.exclude else None

    def run(self) -> Selection:
        sources: list[Source] = []
        for text in self._operation.sources:
            sources += self._sources(text)
        sources += [_inline(file) for file in self._operation.files]
        return Selection(tuple(sources), tuple(self._warnings))

    def _sources(self, text: str) -> Iterator[Source]:
        kind = remote_kind(text)
        if kind != "path":
            yield self._remote(text, kind)
        elif self._operation.parents:
            yield from self._with_parents(text)
        else:
            for path in self._matches(text):
                yield from self._local(text, path, Filters(exclude=self._exclude))

    # --- paths

    def _matches(self, text: str) -> list[str]:
        """The paths a source stands for, links not followed yet."""
        path = clean(text)
        names = components(path)
        fixed = next((i for i, name in enumerate(names) if has_wildcard(name)), len(names))
        if fixed == len(names):
            return [path]
        base = "/" + "/".join(names[:fixed])
        resolved = self._follow(base)
        if self._presence.lstat(resolved) is None:
            raise CopyError(f"lstat {resolved}: no such file or directory", hint=self._hint(base))
        try:
            return list(self._glob(resolved, names[fixed:]))
        except ValueError as error:
            raise CopyError(f"{error}: {text}") from error

    def _glob(self, directory: str, patterns: list[str]) -> Iterator[str]:
        entry = self._presence.lstat(directory)
        if entry is None or entry.kind != "directory":
            return
        for found in scan(self._rootfs, directory):
            path = join(directory, found.name)
            if not go_match(patterns[0], found.name) or self._presence.lstat(path) is None:
                continue
            if len(patterns) == 1:
                yield path
            elif found.entry.kind == "directory":
                yield from self._glob(path, patterns[1:])

    def _local(self, text: str, path: str, filters: Filters) -> Iterator[Source]:
        resolved = self._follow(path)
        entry = self._presence.lstat(resolved)
        if entry is None:
            raise CopyError(f"{go_quote(path)}: not found", hint=self._hint(path))
        name = posixpath.basename(path)
        if entry.kind != "directory" and self._exclude and self._exclude.excludes(name):
            return  # as the reference says; BuildKit itself forgets files matched directly
        nodes = tuple(self._without_sockets(walk(self._presence, resolved, filters)))
        if nodes:
            yield self._with_archive(Source(text, name, self._rootfs, nodes))

    def _with_parents(self, text: str) -> Iterator[Source]:
        base, pivot, rest = text.partition("/./")
        if not pivot:
            base, rest = "/", text
        pattern = clean(rest)[1:]
        include = _patterns([pattern]) if pattern else None
        filters = Filters(exclude=self._exclude, include=include, literal=_literal(pattern))
        required = not has_wildcard(base) and not has_wildcard(pattern)
        for path in self._matches(base):
            found = list(self._local(text, path, filters))
            if required and not any(len(source.nodes) > 1 for source in found):
                wanted = join(clean(base), pattern)
                if not (self._exclude and self._presence.lstat(self._follow(wanted))):
                    raise CopyError(f"{go_quote(wanted)}: not found", hint=self._hint(wanted))
            yield from found

    def _with_archive(self, source: Source) -> Source:
        operation, node = self._operation, source.nodes[0]
        unpack = operation.kind == "ADD" if operation.unpack is None else operation.unpack
        if not unpack or node.entry.kind != "file":
            return source
        content = source.content_of(node)
        if not is_archive(content, source.text):
            return source
        return replace(source, archive=Archive(content, source.text, self._check))

    def _without_sockets(self, nodes: Iterable[Walked]) -> Iterator[Walked]:
        for node in nodes:
            if node.entry.kind == "socket":
                self._warnings.append(f"{node.place}: sockets are not copied")
            else:
                yield node

    def _follow(self, path: str) -> str:
        try:
            return follow(self._presence.lstat, path)
        except OSError as error:
            raise CopyError(f"{path}: {error.strerror}") from error

    def _hint(self, path: str) -> str | None:
        try:
            return why_missing(self._presence, path)
        except OSError:
            return None

    # --- elsewhere

    def _remote(self, text: str, kind: str) -> Source:
        if self._operation.kind == "COPY":
            what = "a git ref" if kind == "git" else "a URL"
            raise CopyError(f"source can't be {what} for COPY")
        if self._fetch is None:
            raise CopyError(f"{text}: remote sources cannot be fetched here")
        fetched = self._fetch(text, self._operation)
        if fetched.is_directory:
            presence = Presence(fetched.rootfs, None, self._check)
            found = walk(presence, fetched.place, Filters(exclude=self._exclude))
            nodes = tuple(_checked_out(node, fetched.mtime_ns) for node in found)
            return Source(text, "", fetched.rootfs, nodes)
        entry = replace(
            fetched.rootfs.lstat(fetched.place),
            mode=0o600,
            uid=0,
            gid=0,
            mtime_ns=fetched.mtime_ns,
        )
        source = Source(text, fetched.name, fetched.rootfs, (Walked("", fetched.place, entry),))
        return self._with_archive(source) if self._operation.unpack else source


def _checked_out(node: Walked, mtime_ns: int) -> Walked:
    """A file of a checkout, whatever user and umask git ran under."""
    entry = node.entry
    executable = entry.kind != "file" or entry.mode & 0o100
    entry = replace(
        entry,
        mode=entry.mode if entry.kind == "symlink" else 0o755 if executable else 0o644,
        uid=0,
        gid=0,
        mtime_ns=mtime_ns or entry.mtime_ns,
    )
    return replace(node, entry=entry)


def _inline(file: InlineFile) -> Source:
    entry = Entry("file", 0o644, 0, 0, len(file.content), NOW, None, (0, 0), 1, None)
    nodes, content = (Walked("", "", entry),), InlineContent(file.content)
    return Source(f"<<{file.name}", file.name, EmptyRootfs(), nodes, content)


# A file without a time of its own gets the time of the build.
NOW = -1


def _patterns(patterns: Iterable[str]) -> IgnoreRules:
    try:
        return IgnoreRules.from_patterns(patterns)
    except ValueError as error:
        raise CopyError(str(error)) from error


def has_wildcard(text: str) -> bool:
    """Whether ``*``, ``?`` or ``[`` stands in ``text`` without a backslash before it."""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            next(characters, None)
        elif character in "*?[":
            return True
    return False


def _literal(pattern: str) -> tuple[str, ...]:
    """The leading names of a pattern that match only themselves."""
    names: list[str] = []
    for name in pattern.split("/") if pattern else ():
        if has_wildcard(name) or "\\" in name or name.startswith("!"):
            break
        names.append(name)
    return tuple(names)
