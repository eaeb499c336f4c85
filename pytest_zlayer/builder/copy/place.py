"""Where the sources of a COPY or ADD end: the entries of the layer, by BuildKit's rules."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.copy.archives import Archive
from pytest_zlayer.builder.copy.select import NOW, Selection, Source, kept_xattrs
from pytest_zlayer.builder.copy.target_tree import Style, TargetTree, layer_kind
from pytest_zlayer.builder.copy.walk import Walked
from pytest_zlayer.builder.files.paths import EmptyRootfs, clean, follow, join
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.oci.layer import LayerEntry, LayerKind
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation
from pytest_zlayer.dockerfile.values.chmod import parse_chmod


def layout(
    selection: Selection,
    operation: CopyOperation,
    target: Rootfs,
    *,
    owner: tuple[int, int] = (0, 0),
    now: int = 0,
    check: Callable[[], None] = go_on,
) -> tuple[LayerEntry, ...]:
    """The layer that a COPY or ADD makes.

    Directories that exist above the new files are part of it, unchanged, so that unpacking the
    layer leaves them as they are.

    Args:
        selection: what is copied.
        operation: the instruction.
        target: the image so far.
        owner: user and group that ``--chown`` means; without ``--chown`` it does not count.
        now: seconds since the epoch, for directories and files without a time of their own.
        check: raises when this is to stop.

    Raises:
        CopyError: a file stands where a directory is needed or the other way round.
    """
    linked = operation.link and not operation.chmod
    tree = TargetTree(EmptyRootfs() if linked else target, now)
    style = Style(
        owner=owner if operation.chown else None,
        chmod=parse_chmod(operation.chmod) if operation.chmod else None,
    )
    for source in selection.sources:
        if source.archive is not None:
            _unpack(tree, source.archive, operation.destination, style)
        else:
            _Placement(tree, source, style).place(operation.destination, check)
    return tree.layer()


def make_directory(
    path: str, target: Rootfs, *, owner: tuple[int, int] = (0, 0), now: int = 0
) -> tuple[LayerEntry, ...]:
    """The layer that creates a directory with its parents; empty when it exists.

    Raises:
        CopyError: a file is in the way.
    """
    tree = TargetTree(target, now)
    tree.make_directories(tree.resolve(path), Style(owner))
    return tree.layer()


def unpacked(archive: Archive) -> tuple[LayerEntry, ...]:
    """The members of an archive as they would lie in an empty root."""
    tree = TargetTree(EmptyRootfs(), 0)
    _unpack(tree, archive, "/", Style())
    return tree.layer()


class _Placement:
    """Copies one source tree."""

    def __init__(self, tree: TargetTree, source: Source, style: Style) -> None:
        self._tree = tree
        self._source = source
        self._style = style
        self._links: dict[tuple[int, int], str] = {}

    def place(self, destination: str, check: Callable[[], None]) -> None:
        top = self._prepare(destination)
        for node in self._source.nodes:
            check()
            path = join(top, node.path)
            if node.entry.kind == "directory":
                self._directory(path, node)
            else:
                self._file(path, node)

    def _prepare(self, destination: str) -> str:
        """Create what leads to the destination; where the source itself ends."""
        tree, style = self._tree, self._style
        is_directory = destination.endswith(("/", "/."))
        destination = clean(destination)
        leading = destination if is_directory else posixpath.dirname(destination)
        tree.make_directories(tree.resolve(leading), style)
        top = tree.resolve(destination)
        found = tree.lstat(top)
        if self._source.nodes[0].entry.kind == "directory":
            parent = top if found is None else posixpath.dirname(top)
        else:
            if found is not None and found.kind == "directory":
                top = join(top, self._source.name)
            parent = posixpath.dirname(top)
        tree.make_directories(parent, style)
        return top

    def _directory(self, path: str, node: Walked) -> None:
        found = self._tree.lstat(path)
        if found is None:
            self._tree.put(self._entry(path, node))
            return
        if found.kind != "directory":
            raise CopyError(f"cannot copy to non-directory: {path}")
        here = self._tree.existing(path, found)
        if not node.path:  # the destination itself keeps all but its time
            self._tree.put(replace(here, mtime_ns=node.entry.mtime_ns))
        elif node.implied:
            self._tree.put(replace(here, mode=node.entry.mode))
        else:
            copied = self._entry(path, node)
            xattrs = MappingProxyType({**here.xattrs, **copied.xattrs})
            self._tree.put(replace(copied, xattrs=xattrs))

    def _file(self, path: str, node: Walked) -> None:
        found = self._tree.lstat(path)
        if found is not None and found.kind == "directory":
            raise CopyError(f"cannot replace to directory {path} with file")
        entry = node.entry
        if entry.kind == "file" and entry.links > 1:
            first = self._links.setdefault(entry.inode, path)
            if first != path:
                self._tree.put(LayerEntry(path, "hardlink", 0, target=first))
                return
        self._tree.put(self._entry(path, node))

    def _entry(self, path: str, node: Walked) -> LayerEntry:
        entry = node.entry
        uid, gid = self._style.owner or (entry.uid, entry.gid)
        mode = entry.mode
        if self._style.chmod is not None and entry.kind != "symlink":
            mode = self._style.chmod.apply(mode, entry.kind == "directory")
        return LayerEntry(
            path,
            layer_kind(entry),
            mode,
            uid,
            gid,
            self._tree.now_ns if entry.mtime_ns == NOW else entry.mtime_ns,
            target=entry.target,
            device=entry.device,
            xattrs=MappingProxyType(self._source.xattrs_of(node)),
            content=self._source.content_of(node) if entry.kind == "file" else None,
        )


# --- archives -----------------------------------------------------------------------------------

_FURTHEST = 2**63 // 10**9  # seconds of which nanoseconds are still a number of 64 bits
_MEMBER_KINDS: dict[bytes, LayerKind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "character",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}


def _unpack(tree: TargetTree, archive: Archive, destination: str, style: Style) -> None:
    """Unpack into a directory; neither names nor links in the archive lead out of it."""
    top = tree.resolve(clean(destination))
    tree.make_directories(top, Style(style.owner))
    for member in archive.members():
        _Member(tree, archive, top, member, style.owner).unpack()


class _Member:
    """One member of an archive on its way into the image."""

    def __init__(
        self,
        tree: TargetTree,
        archive: Archive,
        top: str,
        member: tarfile.TarInfo,
        owner: tuple[int, int] | None,
    ) -> None:
        self._tree = tree
        self._archive = archive
        self._top = top
        self._member = member
        self._owner = owner

    def unpack(self) -> None:
        member, tree = self._member, self._tree
        name = clean(member.name)
        path = self._inside(name)
        found = tree.lstat(path)
        if name == "/" and found is not None:
            return  # BuildKit leaves the directory it unpacks into as it is
        self._make_parents(posixpath.dirname(path))
        kind = _MEMBER_KINDS.get(member.type)
        if kind is None:
            raise CopyError(f"unhandled tar header type {ord(member.type)}")
        if kind == "hardlink":
            self._hard_link(path)
            return
        tree.put(self._entry(path, kind))

    def _inside(self, name: str) -> str:
        """Path of a member: links on the way are followed as if the destination were the root."""
        within = follow(lambda path: self._tree.lstat(self._under(path)), posixpath.dirname(name))
        return self._under(join(within, posixpath.basename(name)))

    def _under(self, path: str) -> str:
        return self._top if path == "/" else join(self._top, path[1:])

    def _make_parents(self, parent: str) -> None:
        self._tree.make_directories(parent, Style())

    def _hard_link(self, path: str) -> None:
        target = self._inside(clean(self._member.linkname))
        found = self._tree.lstat(target)
        if found is None or found.kind == "directory":
            raise CopyError(
                f"link {target} {path}: "
                + ("no such file or directory" if found is None else "operation not permitted")
            )
        if target == path:
            return
        if not isinstance(found, LayerEntry):
            here = self._tree.existing(target, found)
            if found.kind == "file":
                here = replace(here, content=self._tree.base_content(target, found.size))
            self._tree.put(here)
        self._tree.put(LayerEntry(path, "hardlink", 0, target=target))

    def _nanoseconds(self) -> int:
        seconds = self._member.mtime
        if not -_FURTHEST <= seconds <= _FURTHEST:  # also no number at all
            name = self._member.name
            raise CopyError(f"cannot unpack {self._archive.name}: {name} has no valid time")
        return max(int(seconds), 0) * 10**9

    def _entry(self, path: str, kind: LayerKind) -> LayerEntry:
        member = self._member
        uid, gid = self._owner or (member.uid, member.gid)
        is_device = kind in ("character", "block")
        return LayerEntry(
            path,
            kind,
            0o777 if kind == "symlink" else member.mode & 0o7777,
            uid,
            gid,
            self._nanoseconds(),
            target=member.linkname if kind == "symlink" else None,
            device=(member.devmajor, member.devminor) if is_device else None,
            xattrs=MappingProxyType(kept_xattrs(_member_xattrs(member))),
            content=self._archive.content_of(member) if kind == "file" else None,
        )


def _member_xattrs(member: tarfile.TarInfo) -> dict[str, bytes]:
    prefix = "SCHILY.xattr."
    return {
        key[len(prefix) :]: value.encode("utf-8", "surrogateescape")
        for key, value in member.pax_headers.items()
        if key.startswith(prefix)
    }
