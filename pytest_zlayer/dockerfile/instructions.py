"""The typed instructions of a Dockerfile: frozen values, unexpanded, each with its place."""

from __future__ import annotations

from dataclasses import field
from functools import partial
from typing import Any, ClassVar, TypeAlias

from pytest_zlayer.choices import NetworkMode
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.declared_flags import (
    switch_flag,
    text_flag,
    text_flags,
    value_flag,
)
from pytest_zlayer.dockerfile.source import Word
from pytest_zlayer.dockerfile.values.chmod import parse_chmod
from pytest_zlayer.dockerfile.values.flag_values import (
    SecurityMode,
    parse_interval,
    parse_network,
    parse_retries,
    parse_security,
)
from pytest_zlayer.dockerfile.written import Heredoc, Instruction


@dataclass(frozen=True, slots=True)
class ShellForm:
    """A command given as text, to be run by the image's SHELL."""

    text: str


@dataclass(frozen=True, slots=True)
class ExecForm:
    """A command given as a JSON array of strings, run without a shell."""

    argv: tuple[str, ...]


Command: TypeAlias = ShellForm | ExecForm


@dataclass(frozen=True, slots=True)
class Pair:
    """A ``name=value`` of ENV or LABEL; both sides are expanded later."""

    name: Word
    value: Word


@dataclass(frozen=True, slots=True)
class ArgDeclaration:
    """One ``NAME`` or ``NAME=default`` of ARG."""

    name: Word
    default: Word | None


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    """``FROM [--platform=P] image [AS name]``; ``stage_name`` is lower-cased by then."""

    name: ClassVar[str] = "FROM"
    image: Word
    platform: Word | None = text_flag()
    stage_name: str | None = None
    stage_word: Word | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    """``ARG NAME[=default] …``."""

    name: ClassVar[str] = "ARG"
    declarations: tuple[ArgDeclaration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    """``ENV name=value …`` or the legacy ``ENV name value`` (``legacy``)."""

    name: ClassVar[str] = "ENV"
    pairs: tuple[Pair, ...]
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    """``LABEL name=value …`` or the legacy ``LABEL name value`` (``legacy``)."""

    name: ClassVar[str] = "LABEL"
    pairs: tuple[Pair, ...]
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    """``MAINTAINER text``."""

    name: ClassVar[str] = "MAINTAINER"
    author: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """``RUN [flags] command``.

    ``script`` is set when the whole argument is one here-document: the first body is the script
    (dockerfile reference, "Here-Documents"). Otherwise ``command`` holds the text handed to the
    shell, here-documents re-attached, or the exec form.
    """

    name: ClassVar[str] = "RUN"
    command: Command
    script: Heredoc | None = None
    mounts: tuple[Word, ...] = text_flags("mount")
    network: NetworkMode | None = value_flag(parse_network)
    security: SecurityMode | None = value_flag(parse_security)
    devices: tuple[Word, ...] = text_flags("device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    """``CMD command``."""

    name: ClassVar[str] = "CMD"
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    """``ENTRYPOINT command``."""

    name: ClassVar[str] = "ENTRYPOINT"
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    """``SHELL ["program", "arg", …]``."""

    name: ClassVar[str] = "SHELL"
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Instruction):
    """``COPY [flags] source… destination``; sources that are here-documents stand in ``files``."""

    name: ClassVar[str] = "COPY"
    sources: tuple[Word, ...]
    destination: Word
    files: tuple[Heredoc, ...] = ()
    from_: Word | None = text_flag()
    chown: Word | None = text_flag(expand=True)
    chmod: Word | None = text_flag(expand=True, check=parse_chmod)
    link: bool = switch_flag()
    parents: bool = switch_flag()
    exclude: tuple[Word, ...] = text_flags()


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Instruction):
    """``ADD [flags] source… destination``; a switch that is not given may be ``None``."""

    name: ClassVar[str] = "ADD"
    sources: tuple[Word, ...]
    destination: Word
    files: tuple[Heredoc, ...] = ()
    chown: Word | None = text_flag(expand=True)
    chmod: Word | None = text_flag(expand=True, check=parse_chmod)
    link: bool = switch_flag()
    keep_git_dir: bool | None = switch_flag(default=None)
    checksum: Word | None = text_flag(expand=True)
    unpack: bool | None = switch_flag(default=None)
    exclude: tuple[Word, ...] = text_flags()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    """``WORKDIR path``."""

    name: ClassVar[str] = "WORKDIR"
    path: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    """``USER user[:group]``."""

    name: ClassVar[str] = "USER"
    user: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    """``VOLUME path…``."""

    name: ClassVar[str] = "VOLUME"
    paths: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    """``EXPOSE port…``; ports in the order BuildKit keeps them (sorted as strings)."""

    name: ClassVar[str] = "EXPOSE"
    ports: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Instruction):
    """``STOPSIGNAL signal``."""

    name: ClassVar[str] = "STOPSIGNAL"
    signal: Word


@dataclass(frozen=True, slots=True)
class HealthProbe:
    """A typed HEALTHCHECK: ``test`` is ``("NONE",)``, ``("CMD", …)`` or ``("CMD-SHELL", text)``.

    Durations are nanoseconds as the image configuration stores them; 0 means the default.
    """

    test: tuple[str, ...]
    interval: int = value_flag(partial(parse_interval, flag="interval"), 0)
    timeout: int = value_flag(partial(parse_interval, flag="timeout"), 0)
    start_period: int = value_flag(partial(parse_interval, flag="start-period"), 0)
    start_interval: int = value_flag(partial(parse_interval, flag="start-interval"), 0)
    retries: int = value_flag(parse_retries, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Instruction):
    """``HEALTHCHECK NONE`` or ``HEALTHCHECK [flags] CMD command``."""

    name: ClassVar[str] = "HEALTHCHECK"
    probe: HealthProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class Onbuild(Instruction):
    """``ONBUILD instruction``: ``text`` is what the image stores, ``trigger`` its parsed node.

    ``trigger`` carries keyword, flags, args, json and heredocs only: whether it makes sense is
    checked when it is triggered, as BuildKit does.
    """

    name: ClassVar[str] = "ONBUILD"
    text: str
    trigger: Trigger

    def to_dict(self) -> dict[str, Any]:
        """As for any instruction, with the trigger under ``trigger``."""
        # Slots make dataclasses anew, which zero-argument super() does not survive.
        return {**Instruction.to_dict(self), "trigger": self.trigger.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(Instruction):
    """The unchecked instruction inside ONBUILD; ``keyword`` may even be unknown."""

    legacy: bool = False


AnyInstruction: TypeAlias = (
    From
    | Arg
    | Env
    | Label
    | Maintainer
    | Run
    | Cmd
    | Entrypoint
    | Shell
    | Copy
    | Add
    | Workdir
    | User
    | Volume
    | Expose
    | StopSignal
    | Healthcheck
    | Onbuild
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows it, up to the next FROM; ``index`` counts from 0."""

    index: int
    from_: From
    instructions: tuple[AnyInstruction, ...]

    @property
    def name(self) -> str | None:
        """The stage's name in lower case, or ``None``."""
        return self.from_.stage_name


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed Dockerfile (phases "parse", "instruction"): directives, global ARGs and stages.

    ``filename`` is what errors show (``None``: ``Dockerfile``); ``text`` the decoded source.
    ``syntax`` and ``check`` hold what a builder reads from the directives (``check`` up to its
    first space), ``escape`` the escape character.
    """

    text: str = field(repr=False)
    filename: str | None
    escape: str
    syntax: str | None
    check: str | None
    instructions: tuple[AnyInstruction, ...]
    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]

    def to_dict(self) -> dict[str, Any]:
        """The whole file made of JSON's types: directives, instructions, stages."""
        return {
            "escape": self.escape,
            "syntax": self.syntax,
            "instructions": [one.to_dict() for one in self.instructions],
            "stages": [
                {
                    "name": stage.name,
                    "base": stage.from_.image.value,
                    "line": stage.from_.span.line,
                }
                for stage in self.stages
            ],
        }
