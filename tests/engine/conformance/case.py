"""What a conformance case is made of: a Dockerfile, a context, and what must come out."""

from __future__ import annotations

import io
import os
import tarfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

# Of the RUNs of both sides; with another one than chroot buildah 1.28 needs a runtime that works.
ISOLATION = os.environ.get("ZLAYER_TEST_ISOLATION", "chroot")
LONG_AGO = 981173106  # 2001-02-03 04:05:06 UTC: the time of everything in a context
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class File:
    """A regular file. ``mtime`` is seconds; in an expectation ``None`` means "any"."""

    content: str | bytes = ""
    mode: int = 0o644
    owner: str = "0:0"
    mtime: int | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=lambda: NOTHING)

    @property
    def data(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else self.content


@dataclass(frozen=True)
class Dir:
    """A directory."""

    mode: int = 0o755
    owner: str = "0:0"
    mtime: int | None = None


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str
    owner: str = "0:0"
    mtime: int | None = None


@dataclass(frozen=True)
class Hard:
    """One more name of another file, given as a path like the key's."""

    of: str


@dataclass(frozen=True)
class Special:
    """A FIFO, a socket or a device node."""

    kind: Literal["fifo", "socket", "character", "block"]
    mode: int = 0o644
    device: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Gone:
    """In an expectation: the base has it, the image has not."""


Thing: TypeAlias = "File | Dir | Link | Hard | Special | Gone | str | bytes"
Things: TypeAlias = Mapping[str, Thing]


def plain(name: str, thing: Thing) -> File | Dir | Link | Hard | Special | Gone:
    """The short forms spelt out: text is a file; a name that ends in ``/`` is a directory."""
    if isinstance(thing, str | bytes):
        return Dir() if name.endswith("/") else File(thing)
    return thing


def tar(members: Things | list[tarfile.TarInfo], compression: str = "") -> bytes:
    """A tar archive, compressed by ``gz``, ``bz2`` or ``xz`` if wanted."""
    buffer = io.BytesIO()
    mode: Any = f"w:{compression}"
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as archive:
        if isinstance(members, list):
            for info in members:
                archive.addfile(info)
        else:
            for name, thing in members.items():
                of = members.get(thing.of) if isinstance(thing, Hard) else None
                _add_member(archive, name, plain(name, thing), getattr(of, "mode", 0o644))
    return buffer.getvalue()


def _add_member(archive: tarfile.TarFile, name: str, thing: Any, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.mtime = LONG_AGO
    uid, _, gid = getattr(thing, "owner", "0:0").partition(":")
    info.uid, info.gid = int(uid), int(gid)
    info.mode = getattr(thing, "mode", mode)
    content = b""
    match thing:
        case File():
            content = thing.data
            info.size = len(content)
            info.pax_headers = {
                f"SCHILY.xattr.{key}": value.decode() for key, value in thing.xattrs.items()
            }
        case Dir():
            info.type = tarfile.DIRTYPE
        case Link():
            info.type, info.linkname = tarfile.SYMTYPE, thing.target
        case Hard():
            info.type, info.linkname = tarfile.LNKTYPE, thing.of
        case Special(kind="fifo"):
            info.type = tarfile.FIFOTYPE
        case Special():
            info.type = tarfile.CHRTYPE if thing.kind == "character" else tarfile.BLKTYPE
            info.devmajor, info.devminor = thing.device
    archive.addfile(info, io.BytesIO(content))


@dataclass(frozen=True)
class Case:
    """One Dockerfile and what building it must give.

    Without anything else, the image must equal the one that ``buildah build`` makes: the same
    configuration, the same files. Everything below changes or adds to that.

    Attributes:
        name: what is shown by it, in a few words; the test's id.
        text: the Dockerfile; indentation common to all lines is taken away from a ``str``.
        context: path to what lies there. A path may hold any byte (surrogate escapes).
        dockerfile: put the text into the context under this name (bytes always are).
        args: build arguments.
        target: the stage wanted.
        contexts: named contexts; a ``str`` is taken as it is, things are written to a directory.
        secrets: id to value.
        base: the image whose files an expected ``tree`` comes on top of; ``scratch``: none.
        tree: all that the image has other than the base, by path.
        config: fields of the configuration, by their name in its JSON; ``None``: not set.
        fails: the build must fail with exactly this message.
        since: the first buildah whose result counts; ``None``: there is none, the case says it all.
        differs: where buildah's result is another one, and why ours is right: ``config Cmd``,
            ``/srv/a mode`` or a glob of it, to the reason.
        buildkit: the same for BuildKit's result; ``build``: one side refuses, ``message``: both do,
            in other words; ``panic``: it is not asked, as its daemon would end, with what others
            build in it.
        as_root: it takes a real root (device nodes, owners of the files in the context).
    """

    name: str
    text: str | bytes
    context: Things = field(default_factory=lambda: NOTHING)
    dockerfile: str | None = None
    args: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    target: str | None = None
    contexts: Mapping[str, str | Things] = field(default_factory=lambda: NOTHING)
    secrets: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    base: str = "bb"
    tree: Things | None = None
    config: Mapping[str, Any] | None = None
    fails: str | None = None
    since: str | None = "1.28"
    differs: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    buildkit: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    as_root: bool = False

    def __post_init__(self) -> None:
        stated = (self.tree, self.config, self.fails)
        if self.since is None and all(one is None for one in stated):
            raise ValueError(f"{self.name}: neither a reference nor an expectation")

    @property
    def source(self) -> bytes:
        """The Dockerfile as it is written."""
        if isinstance(self.text, bytes):
            return self.text
        return textwrap.dedent(self.text).lstrip("\n").encode("utf-8", "surrogateescape")

    @property
    def place(self) -> str | None:
        """Where in the context the Dockerfile lies, if it does."""
        return self.dockerfile or ("Dockerfile" if isinstance(self.text, bytes) else None)
