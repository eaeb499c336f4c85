"""Build contexts: where COPY and ADD take files from when no ``--from`` is given."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from pytest_zlayer.buildah.files.rootfs import LocalRootfs, Rootfs
from pytest_zlayer.builder.context.small_file import read_bounded, read_small
from pytest_zlayer.builder.copy.archives import Archive, is_archive
from pytest_zlayer.builder.copy.place import unpacked
from pytest_zlayer.builder.files.contents import TreeContent
from pytest_zlayer.builder.files.directory import ContextRootfs
from pytest_zlayer.builder.files.paths import EmptyRootfs
from pytest_zlayer.builder.model.errors import CopyError
from pytest_zlayer.builder.oci.overlay import LayeredRootfs
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.errors import UsageError

DOCKERFILE_NAMES = ("Dockerfile", "Containerfile")
IGNORE_FILE = ".dockerignore"
LATEST = 253_402_300_799  # the last second of the year 9999, which layers and images can hold


class Context(Protocol):
    """A build context.

    Attributes:
        name: how to call it in messages.
        ignore: the rules of its ignore file, ``None`` without one.
    """

    name: str
    ignore: IgnoreRules | None

    @property
    def path(self) -> Path | None:
        """Where it lies; ``None`` for no files at all."""
        ...

    def rootfs(self) -> Rootfs:
        """Its files, not yet filtered by ``ignore``."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class DirectoryContext:
    """A local directory.

    Args:
        path: the directory.
        dockerfile: path of the Dockerfile, for ``<Dockerfile>.dockerignore``; relative to ``path``.
        ignored: ``False`` for a context without ignore rules.
        name: how to call it in messages, if not by its path.

    Raises:
        UsageError: not a directory, or its ignore file cannot be understood.
    """

    def __init__(
        self,
        path: Path,
        dockerfile: str | None = None,
        *,
        ignored: bool = True,
        name: str | None = None,
    ) -> None:
        if not path.is_dir():
            raise UsageError(f"no such directory: {path}")
        self.path = path
        self.name = name or str(path)
        self.ignore = read_ignore(path, dockerfile, name) if ignored else None

    def rootfs(self) -> Rootfs:
        return ContextRootfs(self.path)

    def close(self) -> None:
        pass


def ignore_file(context: Path, dockerfile: str | None) -> Path | None:
    """The ignore file that counts: the Dockerfile's own, else the context's, else none."""
    default = next((name for name in DOCKERFILE_NAMES if (context / name).is_file()), "Dockerfile")
    own = context / f"{dockerfile or default}{IGNORE_FILE}"
    for path in (own, context / IGNORE_FILE):
        if path.is_file():
            return path
    return None


def read_ignore(
    context: Path, dockerfile: str | None, name: str | None = None
) -> IgnoreRules | None:
    """The rules of the ignore file that counts, or ``None`` without one.

    Raises:
        UsageError: a line cannot be understood; ``name`` is how the context is called then.
    """
    path = ignore_file(context, dockerfile)
    if path is None:
        return None
    shown = str(path)
    if name is not None and path.is_relative_to(context):
        shown = place_in(name, path.relative_to(context))
    return _parse_ignore(read_small(path, shown), shown)


def _parse_ignore(data: bytes, name: str) -> IgnoreRules:
    try:
        return IgnoreRules.parse(data)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error


def place_in(context: str, path: Path | str) -> str:
    """A path in a context as messages call it: of a git repository after its ``#ref:``."""
    _, sign, fragment = context.partition("#")
    return f"{context}{':' if sign and ':' not in fragment else '/'}{path}"


class NotAnArchive(UsageError):
    """A file that is no tar archive."""


class TarContext:
    """A tar archive (plain or compressed) as context; owners are those in the archive.

    Args:
        path: the archive.
        dockerfile: path of the Dockerfile in it, for ``<Dockerfile>.dockerignore``.
        name: how to call it in messages, if not by its path.

    Raises:
        NotAnArchive: it is not a tar archive.
        UsageError: there is no such file, it cannot be read to its end, or its ignore file cannot
            be understood.
    """

    ignore: IgnoreRules | None = None

    def __init__(
        self, path: Path, dockerfile: str | None = None, *, name: str | None = None
    ) -> None:
        self.path = path
        self.name = name or str(path)
        directory = LocalRootfs(path.parent)
        inside = f"/{path.name}"
        if not path.is_file():
            raise UsageError(f"no such file: {self.name}")
        content = TreeContent(directory, inside, path.stat().st_size)
        try:
            if not is_archive(content, self.name):
                raise NotAnArchive(
                    f"not a tar archive: {self.name}",
                    hint="a build context is a directory; the Dockerfile is named apart from it "
                    "(dockerfile=, --file)",
                )
            self._archive = Archive(content, self.name)
            self._rootfs = LayeredRootfs(EmptyRootfs(), [unpacked(self._archive)])
        except CopyError as error:
            raise UsageError(error.message, hint=error.hint) from error
        self.ignore = self._read_ignore(dockerfile)

    def _read_ignore(self, dockerfile: str | None) -> IgnoreRules | None:
        there = (name for name in DOCKERFILE_NAMES if self.read(name) is not None)
        own = dockerfile or next(there, DOCKERFILE_NAMES[0])
        for name in (f"{own}{IGNORE_FILE}", IGNORE_FILE):
            data = self.read(name)
            if data is not None:
                return _parse_ignore(data, place_in(self.name, name))
        return None

    def read(self, name: str) -> bytes | None:
        """The content of a small file, ``None`` if there is no such file.

        Raises:
            UsageError: it is too large to be a Dockerfile or an ignore file.
        """
        path = self._rootfs.resolve(f"/{name}")
        if not self._rootfs.exists(path) or self._rootfs.lstat(path).kind != "file":
            return None
        with self._rootfs.open(path) as file:
            return read_bounded(file, place_in(self.name, name))

    def rootfs(self) -> Rootfs:
        return self._rootfs

    def newest(self) -> int | None:
        """The time of its newest file, seconds since the epoch; ``None`` without any file."""
        times = [one.mtime for one in self._archive.members() if one.isreg()]
        # Neither infinite nor beyond what images can hold.
        return max((int(one) for one in times if 0 <= one <= LATEST), default=None)

    def close(self) -> None:
        self._archive.close()


def newest_entry(path: Path) -> int | None:
    """The time of the newest file in a tar archive, seconds since the epoch.

    Raises:
        UsageError: it is not a tar archive.
    """
    context = TarContext(path)
    try:
        return context.newest()
    finally:
        context.close()


class EmptyContext:
    """No files at all: a Dockerfile given as text."""

    name = "an empty context"
    path = None
    ignore: IgnoreRules | None = None

    def rootfs(self) -> Rootfs:
        return EmptyRootfs()

    def close(self) -> None:
        pass


def open_context(
    path: Path | None, dockerfile: str | None = None, *, name: str | None = None
) -> Context:
    """The context at ``path``: a directory, a tar archive, or none at all.

    Raises:
        UsageError: nothing is there, or it is neither; ``name`` is how it is called then.
    """
    if path is None:
        return EmptyContext()
    if path.is_dir():
        return DirectoryContext(path, dockerfile, name=name)
    if path.exists():
        return TarContext(path, dockerfile, name=name)
    raise UsageError(f"no such build context: {path}")


def read_dockerfile(context: Path, name: str | None) -> tuple[bytes, Path]:
    """The Dockerfile of a directory or tar archive, and its path (that of the archive in front).

    Raises:
        UsageError: it is not there or cannot be read.
    """
    if context.is_file():
        return _archived_dockerfile(context, name)
    path = find_dockerfile(context, name)
    return read_small(path), path


def _archived_dockerfile(context: Path, name: str | None) -> tuple[bytes, Path]:
    archive = TarContext(context)
    candidates = (name,) if name else DOCKERFILE_NAMES
    try:
        for one in candidates:
            if (data := archive.read(one)) is not None:
                return data, context / one
        hint = _some_of(archive.rootfs().listdir("/")) or "the archive is empty"
    finally:
        archive.close()
    raise UsageError(f"no {' or '.join(candidates)} in {context}", hint=hint)


def find_dockerfile(context: Path, name: str | None) -> Path:
    """The Dockerfile: ``name`` below ``context``, by default Dockerfile, then Containerfile.

    Raises:
        UsageError: it is not there; the hint names what is.
    """
    candidates = [context / one for one in ((name,) if name else DOCKERFILE_NAMES)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if name and candidates[0].is_dir():
        raise UsageError(
            f"{candidates[0]} is a directory, not a Dockerfile",
            hint="name the file in it, or give the directory as the build context",
        )
    for candidate in candidates:
        if candidate.exists() and not candidate.is_dir():
            raise UsageError(f"{candidate} is neither a file nor a directory")
    wanted = " or ".join(candidate.name for candidate in candidates)
    where = candidates[0].parent
    raise UsageError(f"no {wanted} in {where}", hint=_what_is_there(where))


def _what_is_there(directory: Path) -> str:
    if not directory.is_dir():
        return f"there is no directory {directory}"
    return _some_of([path.name for path in directory.iterdir()]) or "the directory is empty"


def _some_of(names: Iterable[str]) -> str:
    """The names that look like Dockerfiles, else all, in a sentence; empty for none."""
    names = sorted(names)
    shown = [name for name in names if "file" in name.lower()] or names
    if not shown:
        return ""
    return f"there is: {', '.join(shown[:10])}{', …' if len(shown) > 10 else ''}"
