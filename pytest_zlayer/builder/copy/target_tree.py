"""The files of an image with those of a COPY or ADD on top."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from types import MappingProxyType

from pytest_zlayer.buildah.files.rootfs import Entry, Rootfs
from pytest_zlayer.builder.copy.select import kept_xattrs
from pytest_zlayer.builder.files.contents import TreeContent
from pytest_zlayer.builder.files.paths import follow, look
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.oci.layer import LayerEntry, LayerKind
from pytest_zlayer.builder.oci.overlay import UpperTree
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.chmod import Chmod

_DIRECTORY_MODE = 0o755


@dataclass(frozen=True, slots=True)
class Style:
    """What ``--chown`` and ``--chmod`` ask for; ``None``: keep the source's."""

    owner: tuple[int, int] | None = None
    chmod: Chmod | None = None

    @property
    def directory_mode(self) -> int:
        """Mode of directories that only lead to the destination."""
        if self.chmod is None or self.chmod.absolute is None:
            return _DIRECTORY_MODE
        return self.chmod.absolute & 0o777


class TargetTree:
    """The image with the new files on top; paths given to it hold no links."""

    def __init__(self, base: Rootfs, now: int) -> None:
        self._base = base
        self._upper = UpperTree()
        self._new: set[str] = set()  # directories that the base does not have
        self.now_ns = now * 10**9

    def lstat(self, path: str) -> LayerEntry | Entry | None:
        """What is at a path."""
        found = self._upper.entries.get(path)
        if found is not None:
            return found
        parent = posixpath.dirname(path)
        if parent in self._new or self._upper.hides_below(parent):
            return None
        return look(self._base, path)

    def resolve(self, path: str) -> str:
        """The path with links followed inside the image."""
        try:
            return follow(self.lstat, path)
        except OSError as error:
            raise CopyError(f"{path}: too many links") from error

    def put(self, entry: LayerEntry) -> None:
        """Put an entry in place of whatever is there (directories merge)."""
        before = self.lstat(entry.path)
        if entry.kind == "directory":
            if before is None or before.kind != "directory":
                self._new.add(entry.path)
        else:
            self._new.discard(entry.path)
        self._upper.put(entry)

    def make_directories(self, path: str, style: Style) -> None:
        """Create a directory and its missing parents.

        Raises:
            CopyError: something else is in the way.
        """
        found = self.lstat(path)
        if found is not None:
            if found.kind != "directory":
                raise CopyError(f"mkdir {path}: not a directory")
            return
        self.make_directories(posixpath.dirname(path), style)
        uid, gid = style.owner or (0, 0)
        self.put(LayerEntry(path, "directory", style.directory_mode, uid, gid, self.now_ns))

    def existing(self, path: str, found: LayerEntry | Entry) -> LayerEntry:
        """An entry that is already there, as part of the layer."""
        if isinstance(found, LayerEntry):
            return found
        xattrs = kept_xattrs(dict(self._base.xattrs(path)))
        return LayerEntry(
            path,
            layer_kind(found),
            found.mode,
            found.uid,
            found.gid,
            found.mtime_ns,
            target=found.target,
            device=found.device,
            xattrs=MappingProxyType(xattrs),
        )

    def base_content(self, path: str, size: int) -> TreeContent:
        """The bytes of a file of the image."""
        return TreeContent(self._base, path, size)

    def layer(self) -> tuple[LayerEntry, ...]:
        """Everything put, with the directories above it, parents first."""
        for path in list(self._upper.entries):
            self._put_parents(path)
        return tuple(self._marked(entry) for entry in self._upper.flatten() if entry.path != "/")

    def _put_parents(self, path: str) -> None:
        parent = posixpath.dirname(path)
        while parent != "/" and parent not in self._upper.entries:
            found = self.lstat(parent)
            if found is not None:
                self._upper.put(self.existing(parent, found))
            parent = posixpath.dirname(parent)

    def _marked(self, entry: LayerEntry) -> LayerEntry:
        """A directory that replaced a file which replaced a directory must hide the latter."""
        if entry.kind != "directory" or not self._upper.hides_below(entry.path):
            return entry
        below = look(self._base, entry.path)
        return replace(entry, opaque=below is not None and below.kind == "directory")


def layer_kind(entry: Entry) -> LayerKind:
    """What an entry is in a layer. Raises ``CopyError``: a layer cannot hold it."""
    if entry.kind == "socket":
        raise CopyError("sockets cannot be stored in an image layer")
    return entry.kind
