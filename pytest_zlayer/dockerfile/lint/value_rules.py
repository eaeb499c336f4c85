"""Build checks on expanded instructions: variables, commands, copied paths, ports."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import field

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.dispatch.state import StageState, absolute, clean
from pytest_zlayer.dockerfile.dispatch.words import WordReader
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.instructions import (
    Add,
    AnyInstruction,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    ShellForm,
    Workdir,
)
from pytest_zlayer.dockerfile.lint.findings import Findings, spot
from pytest_zlayer.dockerfile.source import Word
from pytest_zlayer.dockerfile.stages.scope import NEVER_VARIABLES
from pytest_zlayer.dockerfile.values.ports import parse_port_spec
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.remote_sources import is_git, is_url
from pytest_zlayer.dockerfile.values.secret_names import looks_secret
from pytest_zlayer.dockerfile.values.suggest import suggest

# A name that only a pattern for everything matches.
_ANY_NAME = "\0"
# Directories that do not have the mode 0755, and some that have it.
_PRIVATE_DIRECTORIES = ("/root", "/tmp", "/var/tmp")  # noqa: S108  # in images
_PUBLIC_DIRECTORIES = (
    "/bin", "/etc", "/home", "/lib", "/opt", "/sbin", "/srv", "/usr", "/usr/bin", "/usr/lib",
    "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/sbin", "/usr/share", "/var",
    "/var/cache", "/var/lib", "/var/log",
)  # fmt: skip


@dataclass(slots=True)
class StageChecks:
    """The checks of one stage; remembers what earlier instructions of the stage did.

    Attributes:
        ignore: the context's ignore rules, if there are any.
        workdir_set: whether this stage or one it is built from has had a WORKDIR.
        owners: directories that the stage has, with their owners where these are known.
        once: the last CMD, ENTRYPOINT and HEALTHCHECK so far.
    """

    ignore: IgnoreRules | None
    workdir_set: bool = False
    owners: dict[str, str] = field(default_factory=dict)
    once: dict[str, AnyInstruction] = field(default_factory=dict)

    def check(self, state: StageState, expanded: AnyInstruction, findings: Findings) -> None:
        """Rules on an instruction with its words expanded; ``state`` is that before it."""
        match expanded:
            case Env():
                _check_legacy(expanded, findings)
                for pair in expanded.pairs:
                    _check_secret(expanded, "ENV", pair.name, findings)
            case Label():
                _check_legacy(expanded, findings)
            case Cmd() | Entrypoint():
                self._check_once(expanded, findings)
                _check_shell_form(state, expanded, findings)
            case Healthcheck():
                self._check_once(expanded, findings)
            case Workdir():
                self._check_workdir(expanded, findings)
                made = absolute(state.workdir, expanded.path.value)
                self.owners.setdefault(clean(made), _owner(state.config.user))
            case Expose():
                _check_ports(expanded, findings)
            case Copy() | Add():
                self._check_sources(expanded, findings)
                self._check_link(state, expanded, findings)

    def _check_once(self, instruction: Cmd | Entrypoint | Healthcheck, findings: Findings) -> None:
        earlier = self.once.get(instruction.name)
        if earlier is not None:
            message = (
                f"Multiple {instruction.keyword} instructions should not be used in the same stage"
                " because only the last one will be used"
            )
            findings.report("MultipleInstructionsDisallowed", message, earlier.span)
        self.once[instruction.name] = instruction

    def _check_workdir(self, instruction: Workdir, findings: Findings) -> None:
        path = instruction.path
        if not self.workdir_set and not path.value.startswith("/"):
            message = (
                f"Relative workdir {go_quote(path.value)} can have unexpected results if the base"
                " image changes"
            )
            findings.report("WorkdirRelativePath", message, spot(instruction, path.span))
        self.workdir_set = True

    def _check_sources(self, instruction: Copy | Add, findings: Findings) -> None:
        # With exceptions a path alone does not say whether something below is kept.
        ignore = self.ignore
        if ignore is None or ignore.has_exceptions:
            return
        if isinstance(instruction, Copy) and instruction.from_ and instruction.from_.value:
            return
        for source in instruction.sources:
            path = posixpath.normpath(source.value)
            if is_git(source.value) or is_url(source.value) or not _is_ignored(path, ignore):
                continue
            message = (
                f"Attempting to {instruction.name.capitalize()} file {go_quote(path)} that is"
                " excluded by .dockerignore"
            )
            findings.report("CopyIgnoredFile", message, spot(instruction, source.span))

    def _check_link(self, state: StageState, instruction: Copy | Add, findings: Findings) -> None:
        # With --chmod the layer is made from the image, as without --link.
        if not instruction.link or instruction.chmod:
            return
        owner = _owner(instruction.chown.value if instruction.chown else "")
        for path in _leading(state.workdir, instruction):
            known = self.owners.get(path)
            if known is not None and (known != owner or path in _PRIVATE_DIRECTORIES):
                message = (
                    f"{instruction.keyword} --link replaces the mode and owner of {path}, which"
                    " the image already has"
                )
                place = spot(instruction, instruction.destination.span)
                findings.report("CopyLinkReplacesDirectory", message, place)
                return


def usual_directories() -> dict[str, str]:
    """What images of any distribution have, with the owners."""
    return dict.fromkeys((*_PUBLIC_DIRECTORIES, *_PRIVATE_DIRECTORIES), _owner(""))


def _leading(workdir: str, instruction: Copy | Add) -> Iterator[str]:
    """The directories that an instruction makes where they are missing, the deepest first."""
    destination = instruction.destination.value
    sources = instruction.sources
    into = destination.endswith(("/", "/.")) or len(sources) + len(instruction.files) > 1
    into = into or any(one.value.endswith("/") or one.value == "." for one in sources)
    path = clean(absolute(workdir, destination))
    path = path if into else posixpath.dirname(path)
    while path != "/":
        yield path
        path = posixpath.dirname(path)


def _owner(user: str) -> str:
    """The name of a user without the group; root has several ways to be written."""
    name = user.partition(":")[0]
    return "root" if name in ("", "0") else name


def _is_ignored(path: str, ignore: IgnoreRules) -> bool:
    if path in (".", "/"):
        # The root itself is never ignored: it counts when everything in it is.
        path = _ANY_NAME
    return ignore.excludes(path.lstrip("/"))


def check_unknown(instruction: AnyInstruction, reader: WordReader, findings: Findings) -> None:
    """UndefinedVar: names that were looked up and that neither ENV nor ARG knows."""
    for name, span in reader.unknown:
        if name in NEVER_VARIABLES:
            continue
        meant = suggest(name, reader.variables)
        tail = f" (did you mean ${meant}?)" if meant else ""
        message = f"Usage of undefined variable '${name}'{tail}"
        findings.report("UndefinedVar", message, spot(instruction, span))


def check_secret_args(instruction: AnyInstruction, findings: Findings) -> None:
    """SecretsUsedInArgOrEnv for the names an ARG declares."""
    if isinstance(instruction, Arg):
        for one in instruction.declarations:
            _check_secret(instruction, "ARG", one.name, findings)


def _check_secret(
    instruction: AnyInstruction, keyword: str, name: Word, findings: Findings
) -> None:
    if looks_secret(name.value):
        message = (
            "Do not use ARG or ENV instructions for sensitive data"
            f" ({keyword} {go_quote(name.value)})"
        )
        findings.report("SecretsUsedInArgOrEnv", message, spot(instruction, name.span))


def _check_legacy(instruction: Env | Label, findings: Findings) -> None:
    if instruction.legacy:
        word = instruction.keyword
        message = f'"{word} key=value" should be used instead of legacy "{word} key value" format'
        findings.report("LegacyKeyValueFormat", message, instruction.span)


def _check_shell_form(state: StageState, instruction: Cmd | Entrypoint, findings: Findings) -> None:
    if isinstance(instruction.command, ShellForm) and not state.config.shell:
        message = (
            f"JSON arguments recommended for {instruction.keyword} to prevent unintended behavior"
            " related to OS signals"
        )
        findings.report("JSONArgsRecommended", message, instruction.span)


def _check_ports(instruction: Expose, findings: Findings) -> None:
    for word in instruction.ports:
        try:
            port = parse_port_spec(word.value)
        except ValueError:
            return
        where = spot(instruction, word.span)
        if port.protocol != port.protocol.lower():
            message = f"Defined protocol '{word.value}' in EXPOSE instruction should be lowercase"
            findings.report("ExposeProtoCasing", message, where)
        if port.ip or port.host:
            message = (
                "EXPOSE instruction should not define an IP address or host-port mapping, found"
                f" '{word.value}'"
            )
            findings.report("ExposeInvalidFormat", message, where)
