"""The operations instructions become after expansion, which the builder executes.

Cache keys know the classes of fields by their ``tag``, and not by names, which may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

from pytest_zlayer.choices import NetworkMode
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.instructions import AnyInstruction
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.values.flag_values import SecurityMode
from pytest_zlayer.dockerfile.written import Heredoc

Sharing = Literal["shared", "private", "locked"]


@dataclass(frozen=True, slots=True)
class SourceRef:
    """Where a COPY --from or a mount takes its files.

    kind ``stage``: ``index`` is the stage; ``context``: the build context named ``name``
    (``""``: the main one); ``image``: the image reference ``name``; ``scratch``: nothing at all.
    """

    kind: Literal["stage", "context", "image", "scratch"]
    name: str = ""
    index: int = -1


MAIN_CONTEXT = SourceRef("context")


@dataclass(frozen=True, slots=True)
class BindMount:
    """``--mount=type=bind``: ``source`` is below ``/`` of ``from_``; writes are discarded."""

    tag: ClassVar[str] = "bind"
    target: str
    source: str = "/"
    from_: SourceRef = MAIN_CONTEXT
    readonly: bool = True


@dataclass(frozen=True, slots=True)
class CacheMount:
    """``--mount=type=cache``; ``mode`` is a number (0o755), ``from_`` seeds an empty cache."""

    tag: ClassVar[str] = "cache"
    target: str
    id: str
    source: str = "/"
    from_: SourceRef | None = None
    readonly: bool = False
    sharing: Sharing = "shared"
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class TmpfsMount:
    """``--mount=type=tmpfs``; ``size`` in bytes, 0 for the default."""

    tag: ClassVar[str] = "tmpfs"
    target: str
    size: int = 0
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class SecretMount:
    """``--mount=type=secret``: a file at ``target`` (``None``: no file) and/or variable ``env``."""

    tag: ClassVar[str] = "secret"
    id: str
    target: str | None
    env: str | None = None
    required: bool = False
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class SshMount:
    """``--mount=type=ssh``: the agent socket ``id`` at ``target``; sets SSH_AUTH_SOCK."""

    tag: ClassVar[str] = "ssh"
    id: str
    target: str
    required: bool = False
    mode: int = 0o600
    uid: int = 0
    gid: int = 0


Mount: TypeAlias = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount


@dataclass(frozen=True, slots=True)
class InlineFile:
    """A here-document of COPY or ADD, expanded: a regular file ``name`` with ``content``."""

    tag: ClassVar[str] = "file"
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class RunOperation:
    """Execute ``argv`` (the shell already put in front of a shell form).

    ``env`` is everything the command sees apart from proxies: image environment plus build
    arguments in force. ``user`` and ``workdir`` are those in force. ``script`` is the body of a
    here-document that starts with ``#!``: it is to appear as the executable file
    ``/dev/pipes/<name>``, which ``argv`` names.
    ``args`` are the names in ``env`` that come from ARG and not from the image configuration.
    """

    instruction: AnyInstruction
    argv: tuple[str, ...]
    env: Mapping[str, str]
    args: Mapping[str, str]
    user: str
    workdir: str
    mounts: tuple[Mount, ...] = ()
    network: NetworkMode = "default"
    security: SecurityMode = "sandbox"
    script: Heredoc | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class CopyOperation:
    """Put files into the image.

    ``destination`` is absolute; a trailing ``/`` means "a directory". ``chmod`` is the checked
    text (octal digits or symbolic). ``sources`` are expanded and not yet matched; URLs and git
    references of ADD stand among them in order.
    """

    instruction: AnyInstruction
    kind: Literal["COPY", "ADD"]
    sources: tuple[str, ...]
    files: tuple[InlineFile, ...]
    destination: str
    from_: SourceRef = MAIN_CONTEXT
    chown: str | None = None
    chmod: str | None = None
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()
    checksum: str | None = None
    keep_git_dir: bool | None = None
    unpack: bool | None = None
    workdir: str = "/"
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class WorkdirOperation:
    """Make sure ``path`` exists as a directory, owned by ``user`` when it is created."""

    instruction: AnyInstruction
    path: str
    user: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class MetadataOperation:
    """Only the configuration changed (the new state says how)."""

    instruction: AnyInstruction
    span: Span | None = None


Operation: TypeAlias = RunOperation | CopyOperation | WorkdirOperation | MetadataOperation
