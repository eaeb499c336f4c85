"""What the build checks find."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.check_directive import CheckOptions
from pytest_zlayer.dockerfile.lint.rules import EXPERIMENTAL, RULES
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.written import Instruction


@dataclass(frozen=True, slots=True)
class Finding:
    """What a build check found.

    Attributes:
        name: the rule's name.
        message: what is wrong, in BuildKit's words.
        span: where; its line is the one that ``docker build --check`` prints.
        doc: what the rule is about and what to do.
        is_error: whether the Dockerfile asks that findings fail the build (``error=true``).
    """

    name: str
    message: str
    span: Span
    doc: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings in one Dockerfile, without those of rules that are switched off."""

    options: CheckOptions
    found: list[Finding] = field(default_factory=list)

    def scoped(self, comments: Iterable[str]) -> Findings:
        """Findings in the same list, with the options of one instruction's comments."""
        return Findings(self.options.with_comments(comments), self.found)

    def report(self, name: str, message: str, span: Span) -> None:
        """Add a finding of the rule ``name``."""
        if self.options.allows(name, experimental=name in EXPERIMENTAL):
            found = Finding(name, message, span, RULES[name], self.options.error)
            self.found.append(found)


def spot(instruction: Instruction, span: Span | None) -> Span:
    """``span`` if it lies on the instruction's first line, else the whole instruction.

    Build checks report the line an instruction begins on, wherever the word stands.
    """
    return span if span and span.line == instruction.span.line else instruction.span
