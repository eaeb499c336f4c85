"""Build contexts: where COPY and ADD take files from when no ``--from`` is given."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pytest_zlayer.buildah.files.rootfs import LocalRootfs, Rootfs
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


class Context(Protocol):
    """A build context.

    Attributes:
        name: how to call it in messages.
        ignore: the rules of its ignore file, ``None`` without one.
    """

    name: str
    ignore: IgnoreRules | None

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

    Raises:
        UsageError: not a directory, or its ignore file cannot be understood.
    """

    def __init__(self, path: Path, dockerfile: str | None = None, *, ignored: bool = True) -> None:
        if not path.is_dir():
            raise UsageError(f"no such directory: {path}")
        self.path = path
        self.name = str(path)
        self.ignore = read_ignore(path, dockerfile) if ignored else None

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


def read_ignore(context: Path, dockerfile: str | None) -> IgnoreRules | None:
    """The rules of the ignore file that counts, or ``None`` without one.

    Raises:
        UsageError: a line cannot be understood.
    """
    path = ignore_file(context, dockerfile)
    if path is None:
        return None
    try:
        return IgnoreRules.parse(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


class TarContext:
    """A tar archive (plain or compressed) as context; owners are those in the archive.

    Raises:
        UsageError: there is no such file, or it is not a tar archive.
    """

    ignore: IgnoreRules | None = None

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        directory = LocalRootfs(path.parent)
        inside = f"/{path.name}"
        if not path.is_file():
            raise UsageError(f"no such file: {path}")
        content = TreeContent(directory, inside, path.stat().st_size)
        try:
            if not is_archive(content, str(path)):
                raise UsageError(
                    f"not a tar archive: {path}",
                    hint="a build context is a directory; the Dockerfile is named apart from it "
                    "(dockerfile=, --file)",
                )
            self._archive = Archive(content, str(path))
            self._rootfs = LayeredRootfs(EmptyRootfs(), [unpacked(self._archive)])
        except CopyError as error:
            raise UsageError(error.message, hint=error.hint) from error
        rules = self._rootfs.resolve(f"/{IGNORE_FILE}")
        if self._rootfs.exists(rules):
            with self._rootfs.open(rules) as file:
                self.ignore = IgnoreRules.parse(file.read())

    def rootfs(self) -> Rootfs:
        return self._rootfs

    def close(self) -> None:
        self._archive.close()


class EmptyContext:
    """No files at all: a Dockerfile given as text."""

    name = "an empty context"
    ignore: IgnoreRules | None = None

    def rootfs(self) -> Rootfs:
        return EmptyRootfs()

    def close(self) -> None:
        pass


def open_context(path: Path | None, dockerfile: str | None = None) -> Context:
    """The context at ``path``: a directory, a tar archive, or none at all.

    Raises:
        UsageError: nothing is there, or it is neither.
    """
    if path is None:
        return EmptyContext()
    if path.is_dir():
        return DirectoryContext(path, dockerfile)
    if path.exists():
        return TarContext(path)
    raise UsageError(f"no such build context: {path}")


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
    wanted = " or ".join(candidate.name for candidate in candidates)
    where = candidates[0].parent
    raise UsageError(f"no {wanted} in {where}", hint=_what_is_there(where))


def _what_is_there(directory: Path) -> str:
    if not directory.is_dir():
        return f"there is no directory {directory}"
    names = sorted(path.name for path in directory.iterdir())
    like = [name for name in names if "file" in name.lower()]
    shown = like or names
    if not shown:
        return "the directory is empty"
    return f"there is: {', '.join(shown[:10])}{', …' if len(shown) > 10 else ''}"
