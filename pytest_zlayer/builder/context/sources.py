"""Where COPY, ADD and mounts take files from: contexts and images, opened once and shared."""

from __future__ import annotations

import contextlib
import gc
import posixpath
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.files.rootfs import LocalRootfs, Rootfs
from pytest_zlayer.builder.context.build_context import (
    Context,
    DirectoryContext,
    open_context,
)
from pytest_zlayer.builder.context.export import export
from pytest_zlayer.builder.copy import Fetch, Selection, select
from pytest_zlayer.builder.copy.digests import Digests
from pytest_zlayer.builder.copy.remote import remote_kind
from pytest_zlayer.builder.files.room import NO_ROOM_HINT, WORTH_ASKING, exceeds_disks
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.stopping import go_on
from pytest_zlayer.builder.store.base_images import IMAGE_SCHEMES, BaseImage
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation, SourceRef
from pytest_zlayer.dockerfile.values.credentials import redacted
from pytest_zlayer.errors import UsageError
from pytest_zlayer.waiting import held

if TYPE_CHECKING:
    from pytest_zlayer.builder.store.mounted_images import MountedImages


class Sources:
    """The contexts and images one build reads from.

    Args:
        spec: the declaration (its context and named contexts).
        base_image: finds an image by reference.
        mounted: images mounted for reading.
        digests: content digests of context files.
        scratch: gives a fresh private path.
        fetch: gets the remote sources of ADD.
        remote: gives the directory or file of a context that lies behind an address.
        check: raises when reading is to stop.
    """

    def __init__(
        self,
        spec: ImageSpec,
        *,
        base_image: Callable[[str], BaseImage],
        mounted: MountedImages,
        digests: Digests,
        scratch: Callable[[str], Path],
        fetch: Fetch,
        remote: Callable[[str], Path],
        check: Callable[[], None] = go_on,
    ) -> None:
        self._spec = spec
        self._base_image = base_image
        self._mounted = mounted
        self._digests = digests
        self._scratch = scratch
        self._fetch = fetch
        self._remote_path = remote
        self._check = check
        self._contexts: dict[str, Context] = {}
        self._exports: dict[tuple[str, str], Path] = {}
        self._guard = threading.RLock()

    def image_reference(self, name: str) -> str | None:
        """The image a named context stands for, ``None`` if it is a directory."""
        value = self._spec.build_contexts.get(name)
        if isinstance(value, str) and value.startswith(IMAGE_SCHEMES):
            return value
        return None

    def rootfs(self, source: SourceRef) -> Rootfs:
        """The files of a context or image."""
        if source.kind == "scratch":
            return LocalRootfs(self._empty())
        reference = source.name if source.kind == "image" else self.image_reference(source.name)
        if reference is not None:
            return self._mounted.rootfs(self._base_image(reference).id)
        return self._context(source.name).rootfs()

    def select(self, operation: CopyOperation) -> tuple[Selection, str]:
        """The files an operation takes from a context, and a digest of them."""
        source = operation.from_
        with _collection_paused():
            if self.image_reference(source.name) is not None:
                selection = select(operation, self.rootfs(source), ignore=None, check=self._check)
            else:
                context = self._context(source.name)
                selection = select(
                    operation,
                    context.rootfs(),
                    ignore=context.ignore,
                    fetch=self._fetch,
                    check=self._check,
                )
                self._refuse_larger_than_disks(selection, context)
            return selection, selection.digest(self._digests, self._check)

    def _refuse_larger_than_disks(self, selection: Selection, context: Context) -> None:
        """A sparse file may say that it is larger than any disk: hashing it would not end."""
        files = [
            (node.entry.size, posixpath.join(source.text, node.path) if node.path else source.text)
            for source in selection.sources
            for node in source.nodes
            if node.entry.kind == "file" and node.entry.size >= WORTH_ASKING
        ]
        if not files or context.path is None:
            return
        size, shown = max(files)
        problem = exceeds_disks(shown, size, self._scratch("sizes").parent, context.path)
        if problem is not None:
            raise CopyError(problem, hint=NO_ROOM_HINT)

    def digest(self, source: SourceRef, path: str) -> str:
        """A digest of a directory or file of a context, for the key of a mount."""
        # A mount's source is no pattern.
        operation = whole(source, re.sub(r"([*?\[\\])", r"\\\1", path))
        return self.select(operation)[1]

    def path(self, source: SourceRef, path: str) -> Path:
        """A host path with the files of ``path``; those the ignore file excludes are left out."""
        rootfs = self.rootfs(source)
        if source.kind != "context" or self.image_reference(source.name) is not None:
            return host_path(rootfs, path)
        context = self._context(source.name)
        if isinstance(context, DirectoryContext) and context.ignore is None:
            return host_path(rootfs, path)
        with held(self._guard):
            if (source.name, path) not in self._exports:
                target = self._scratch("export")
                export(rootfs, rootfs.resolve(path), target, context.ignore, self._check)
                self._exports[source.name, path] = target
            return self._exports[source.name, path]

    def close(self) -> None:
        """Give back what contexts hold."""
        for context in self._contexts.values():
            context.close()

    def _context(self, name: str) -> Context:
        with held(self._guard):
            if name not in self._contexts:
                self._contexts[name] = self._open(name)
            return self._contexts[name]

    def _open(self, name: str) -> Context:
        if not name:
            return open_context(self._spec.context, self._spec.dockerfile)
        value = str(self._spec.build_contexts[name])
        if remote_kind(value) != "path":
            return self._remote(value)
        path = Path(value)
        if not path.exists():
            raise UsageError(f"build context {name}: no such directory: {path}")
        return open_context(path)

    def _remote(self, url: str) -> Context:
        """A git repository, checked out, or an archive, downloaded."""
        return open_context(self._remote_path(url), name=redacted(url))

    def _empty(self) -> Path:
        path = self._scratch("empty")
        path.mkdir()
        return path


def whole(source: SourceRef, path: str) -> CopyOperation:
    """All that is at a path of a source, as if it were copied."""
    return CopyOperation(
        instruction=None,  # type: ignore[arg-type]  # only read for messages of COPY
        kind="COPY",
        sources=(path,),
        files=(),
        destination="/",
        from_=source,
    )


@contextlib.contextmanager
def _collection_paused() -> Iterator[None]:
    """No search for garbage while many objects are made that all stay: a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def host_path(rootfs: Rootfs, path: str) -> Path:
    """Where ``path`` lies on this machine, links resolved inside the tree."""
    root: Path = rootfs.root  # type: ignore[attr-defined]  # contexts and mounts lie on disk
    return root / rootfs.resolve(path).lstrip("/")
