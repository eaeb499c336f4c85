"""Variables outside stages: the global scope, automatic and proxy arguments, reading a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.errors import Diagnostic
from pytest_zlayer.dockerfile.instructions import ArgDeclaration, Dockerfile
from pytest_zlayer.dockerfile.shell.expansion import ExpansionError, expand_word
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.values.platforms import Platform

NOTHING: Mapping[str, str] = MappingProxyType({})

# BuildKit reads these two as options of its own: an ARG of that name is no variable.
NEVER_VARIABLES = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


class Lookups(Mapping[str, str]):
    """A view of variables that remembers which names were asked for, in order."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.found: dict[str, None] = {}
        self.missing: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        if name in self._values:
            self.found[name] = None
            return self._values[name]
        self.missing[name] = None
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        if name in self._values:
            return True
        self.missing[str(name)] = None
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Reading:
    """A word after expansion: its value or BuildKit's error, and the variables it names.

    ``fault`` is the part of the word that is wrong, in characters from 0, end exclusive.
    """

    value: str
    error: str | None = None
    fault: tuple[int, int] = (0, 0)
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read_word(text: str, variables: Mapping[str, str], escape: str) -> Reading:
    """Expand ``text``; never raises, the error is part of what was read."""
    lookups = Lookups(variables)
    value, error, fault = "", None, (0, 0)
    try:
        value = expand_word(text, lookups, escape)
    except ExpansionError as problem:
        error, fault = problem.message, (problem.start, problem.end)
    return Reading(value, error, fault, tuple(lookups.found), tuple(lookups.missing))


def part_of(word: Word, start: int, end: int) -> Span:
    """Where characters ``start`` to ``end`` of the word stand, as far as that is known.

    A word that was continued over lines, or whose flag was unquoted, is shown whole.
    """
    span = word.span
    if span.line != span.end_line or span.end_column - span.column != len(word.value):
        return span
    first = span.column + start
    return Span(span.line, first, span.line, max(span.column + end, first + 1))


@dataclass(frozen=True, slots=True)
class GlobalScope:
    """What FROM lines can use.

    Attributes:
        values: automatic and global arguments that have a value.
        declared: every name known here, with or without a value.
        broken: names whose default could not be expanded.
        problems: why, one for each of them.
    """

    values: Mapping[str, str]
    declared: frozenset[str]
    broken: frozenset[str] = frozenset()
    problems: tuple[Diagnostic, ...] = ()


def automatic_args(
    platform: Platform, build_platform: Platform, target: str, build_args: Mapping[str, str]
) -> dict[str, str]:
    """The arguments BuildKit defines by itself; a build argument of that name wins."""
    values = {
        "BUILDPLATFORM": build_platform.short,
        "BUILDOS": build_platform.os,
        "BUILDOSVERSION": build_platform.os_version,
        "BUILDARCH": build_platform.architecture,
        "BUILDVARIANT": build_platform.variant,
        "TARGETPLATFORM": str(platform),
        "TARGETOS": platform.os,
        "TARGETOSVERSION": platform.os_version,
        "TARGETARCH": platform.architecture,
        "TARGETVARIANT": platform.variant,
        "TARGETSTAGE": target or "default",
    }
    return {name: build_args.get(name, value) for name, value in values.items()}


def global_scope(
    dockerfile: Dockerfile, automatic: Mapping[str, str], build_args: Mapping[str, str]
) -> GlobalScope:
    """Evaluate the ARGs before the first FROM, left to right (rules of ARG in the reference)."""
    values, declared = dict(automatic), set(automatic)
    broken: dict[str, Diagnostic] = {}
    for declaration in _declarations(dockerfile):
        name = declaration.name.value
        declared.add(name)
        if name in build_args:
            values[name] = build_args[name]
        elif declaration.default is not None:
            reading = read_word(declaration.default.value, values, dockerfile.escape)
            if reading.error is None:
                values[name] = reading.value
            else:
                span = part_of(declaration.default, *reading.fault)
                broken[name] = Diagnostic(reading.error, span)
    return GlobalScope(
        MappingProxyType(values), frozenset(declared), frozenset(broken), tuple(broken.values())
    )


def _declarations(dockerfile: Dockerfile) -> Iterator[ArgDeclaration]:
    for arg in dockerfile.global_args:
        yield from arg.declarations


def proxy_args(build_args: Mapping[str, str]) -> Mapping[str, str]:
    """Proxy settings among the build arguments, for the environment of RUN only.

    Each comes in both spellings, as BuildKit passes them on. Of two spellings given the
    lower-case one wins (BuildKit takes the last in sorted order).
    """
    found: dict[str, str] = {}
    for name in sorted(build_args):
        if name.upper() in _PROXIES:
            found[name.upper()] = build_args[name]
    both: dict[str, str] = {}
    for name in _PROXIES:
        if found.get(name):
            both[name] = both[name.lower()] = found[name]
    return MappingProxyType(both)
