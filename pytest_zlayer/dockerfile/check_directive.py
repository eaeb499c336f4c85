"""The options of build checks: ``# check=`` directives, comments and the build argument."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.errors import Diagnostic
from pytest_zlayer.dockerfile.instructions import Dockerfile
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.scalars import parse_bool
from pytest_zlayer.lazy import late_pattern

OVERRIDE = "BUILDKIT_DOCKERFILE_CHECK"
_COMMENT = late_pattern(r"([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*", re.DOTALL)
_DIRECTIVE_LINE = late_pattern(r"^\ufeff?\s*#\s*check\s*=\s*(.+?)\s*$", re.IGNORECASE)
_MOST_PARTS = 3


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """Which rules are off, which experimental ones are on, and whether a finding is an error."""

    skip: frozenset[str] = frozenset()
    skip_all: bool = False
    experimental: frozenset[str] = frozenset()
    experimental_all: bool = False
    error: bool = False

    def merged(self, other: CheckOptions) -> CheckOptions:
        """These options with those of one instruction's comment added (not its ``error``)."""
        return CheckOptions(
            self.skip | other.skip,
            self.skip_all or other.skip_all,
            self.experimental | other.experimental,
            self.experimental_all or other.experimental_all,
            self.error,
        )

    def with_comments(self, comments: Iterable[str]) -> CheckOptions:
        """The options in force for an instruction with these comments; a wrong one is ignored."""
        for comment in comments:
            match = _COMMENT.fullmatch(comment)
            if match is None or match[1].lower() != "check":
                continue
            try:
                return self.merged(parse_check_options(match[2].partition(" ")[0]))
            except ValueError:
                return self
        return self

    def allows(self, rule: str, *, experimental: bool) -> bool:
        """Whether ``rule`` may report anything."""
        if experimental:
            return self.experimental_all or rule in self.experimental
        return not (self.skip_all or rule in self.skip)


def parse_check_options(text: str) -> CheckOptions:
    """Read ``skip=A,B;experimental=C;error=true``.

    Raises:
        ValueError: BuildKit's message, without ``failed to parse check options: ``.
    """
    found = CheckOptions()
    if not text.strip():
        return found
    for part in text.strip().split(";", _MOST_PARTS - 1):
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"invalid check option {go_quote(part)}")
        found = _with_option(found, key.strip(), value.strip(), part)
    return found


def _with_option(found: CheckOptions, key: str, value: str, part: str) -> CheckOptions:
    if key == "skip":
        if value == "all":
            return replace(found, skip_all=True)
        return replace(found, skip=_names(value))
    if key == "experimental":
        if value == "all":
            return replace(found, experimental_all=True)
        return replace(found, experimental=_names(value))
    if key == "error":
        return replace(found, error=_read_bool(value, part))
    raise ValueError(f"invalid check option {go_quote(key)}")


def _names(value: str) -> frozenset[str]:
    return frozenset(name.strip() for name in value.split(","))


def _read_bool(value: str, part: str) -> bool:
    try:
        return parse_bool(value)
    except ValueError:
        raise ValueError(
            f"failed to parse check option {go_quote(part)}: strconv.ParseBool: parsing"
            f" {go_quote(value)}: invalid syntax"
        ) from None


def options_of(directive: str | None, build_args: Mapping[str, str]) -> CheckOptions:
    """The options for the whole file: the build argument if there is one, else the directive.

    Args:
        directive: what ``# check=`` says, if it is there.
        build_args: values for ARG.

    Raises:
        ValueError: BuildKit's message.
    """
    text = build_args.get(OVERRIDE)
    if text is None:
        text = directive or ""
    try:
        return parse_check_options(text)
    except ValueError as problem:
        raise ValueError(f"failed to parse check options: {problem}") from None


def check_option_problem(
    dockerfile: Dockerfile, build_args: Mapping[str, str]
) -> Diagnostic | None:
    """What is wrong with the options for the whole file, at the directive's line."""
    try:
        options_of(dockerfile.check, build_args)
    except ValueError as problem:
        return Diagnostic(str(problem), _directive_span(dockerfile.text))
    return None


def _directive_span(text: str) -> Span:
    for number, line in enumerate(text.splitlines(), 1):
        match = _DIRECTIVE_LINE.match(line)
        if match:
            return Span(number, match.start(1) + 1, number, match.end(1) + 1)
        if not line.lstrip("\ufeff").lstrip().startswith("#"):
            break
    return Span(1, 1, 1, 1)
