"""Build checks: what ``docker build --check`` finds, without an engine."""

from __future__ import annotations

import platform as host
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, TypedDict

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.check_directive import CheckOptions, options_of
from pytest_zlayer.dockerfile.dispatch.instruction import apply_expanded, begin_stage, triggers_of
from pytest_zlayer.dockerfile.dispatch.state import StageState
from pytest_zlayer.dockerfile.dispatch.words import WordReader, expand_instruction
from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from pytest_zlayer.dockerfile.instructions import AnyInstruction, Dockerfile
from pytest_zlayer.dockerfile.lint.findings import Finding, Findings
from pytest_zlayer.dockerfile.lint.rules import RULES
from pytest_zlayer.dockerfile.lint.source_rules import (
    check_bases,
    check_casing,
    check_continuations,
    check_default_args,
    check_instructions,
    check_stage_names,
)
from pytest_zlayer.dockerfile.lint.value_rules import (
    StageChecks,
    check_secret_args,
    check_unknown,
    usual_directories,
)
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.parser.broken import BrokenDockerfile
from pytest_zlayer.dockerfile.parser.parse import read
from pytest_zlayer.dockerfile.stages.graph import StageGraph
from pytest_zlayer.dockerfile.stages.resolve import link_stages
from pytest_zlayer.dockerfile.stages.scope import NOTHING, automatic_args, global_scope
from pytest_zlayer.dockerfile.values.platforms import Platform, host_platform

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["RULES", "CheckReport", "Finding", "check", "examine", "examine_text"]

_NO_BASES: Mapping[str, ImageConfig] = {}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that was found, and the error that ended the search if there was one.

    BuildKit prints the same two things: a Dockerfile that cannot be built is checked up to the
    place where that shows.
    """

    findings: tuple[Finding, ...]
    error: DockerfileError | None = None


class CheckArguments(TypedDict, total=False):
    """What ``examine`` takes besides the Dockerfile."""

    build_args: Mapping[str, str]
    target: str | None
    platform: Platform | None
    build_platform: Platform | None
    contexts: Collection[str]
    ignore: IgnoreRules | None
    bases: Mapping[str, ImageConfig]
    unknown_bases: bool


def check(dockerfile: Dockerfile, **arguments: Unpack[CheckArguments]) -> list[Finding]:
    """The findings of ``examine``, in the order BuildKit reports them."""
    return list(examine(dockerfile, **arguments).findings)


def examine(
    dockerfile: Dockerfile,
    *,
    build_args: Mapping[str, str] = NOTHING,
    target: str | None = None,
    platform: Platform | None = None,
    build_platform: Platform | None = None,
    contexts: Collection[str] = (),
    ignore: IgnoreRules | None = None,
    bases: Mapping[str, ImageConfig] = _NO_BASES,
    unknown_bases: bool = False,
) -> CheckReport:
    """Run all build checks that need no engine (InvalidBaseImagePlatform needs one).

    Args:
        dockerfile: a parsed Dockerfile; its ``# check=`` directive and comments are honoured.
        build_args: values for ARG; ``BUILDKIT_DOCKERFILE_CHECK`` replaces the directive.
        target: check only the stages this one needs; ``None``: all stages.
        platform, build_platform, contexts: as for ``resolve_stages``.
        ignore: rules of the ignore file, for CopyIgnoredFile.
        bases: configurations of base images by the name FROM gives them (variables expanded); of
            others nothing is known, so what their ENV defines counts as undefined.
        unknown_bases: say nothing of variables that an image which is not in ``bases`` may define.
    """
    native = build_platform or platform or host_platform(host.machine())
    wanted = platform or native
    findings = _findings(dockerfile.check, build_args)
    _check_written(dockerfile, build_args, target, (wanted, native), findings)
    try:
        graph = link_stages(
            dockerfile,
            build_args=build_args,
            target=target,
            platform=wanted,
            build_platform=native,
            contexts=contexts,
        )
        indexes = range(len(graph.nodes)) if target is None else graph.needed
        _StageWalk(graph, bases, ignore, findings, unknown_bases).check(indexes)
    except DockerfileError as error:
        return CheckReport(tuple(findings.found), error)
    return CheckReport(tuple(findings.found))


def examine_text(
    text: str | bytes, *, filename: str | None = None, **arguments: Unpack[CheckArguments]
) -> CheckReport:
    """As ``examine``, for a Dockerfile that need not make sense; raises nothing.

    Empty continuation lines are found in the whole file then, all else up to the first
    instruction that is wrong; nothing is found in a file that cannot be cut into instructions.

    Args:
        text, filename: as for ``parse``.
        arguments: as for ``examine``.
    """
    try:
        found = read(text, filename=filename)
    except DockerfileError as error:
        return CheckReport((), error)
    if isinstance(found, BrokenDockerfile):
        return _examine_broken(found, arguments.get("build_args", NOTHING))
    return examine(found, **arguments)


def _examine_broken(broken: BrokenDockerfile, build_args: Mapping[str, str]) -> CheckReport:
    findings = _findings(broken.check, build_args)
    check_continuations(broken.lines, findings)
    check_instructions(broken.instructions, findings)
    return CheckReport(tuple(findings.found), broken.error)


def _findings(directive: str | None, build_args: Mapping[str, str]) -> Findings:
    try:
        return Findings(options_of(directive, build_args))
    except ValueError:
        # link_stages reports it, which knows the place; BuildKit checks nothing then.
        return Findings(CheckOptions(skip_all=True))


def _check_written(
    dockerfile: Dockerfile,
    build_args: Mapping[str, str],
    target: str | None,
    platforms: tuple[Platform, Platform],
    findings: Findings,
) -> None:
    """The rules that need no stage graph, in BuildKit's order."""
    check_continuations(dockerfile.instructions, findings)
    check_instructions(dockerfile.instructions, findings)
    if not dockerfile.stages:
        return
    check_stage_names(dockerfile.stages, findings)
    check_casing(dockerfile.stages, findings)
    name = target or dockerfile.stages[-1].name or ""
    automatic = automatic_args(*platforms, name, build_args)
    check_default_args(dockerfile, automatic, findings)
    scope = global_scope(dockerfile, automatic, build_args)
    if not scope.problems:
        check_bases(dockerfile, scope, platforms[0], findings)


@dataclass(slots=True)
class _StageWalk:
    """Dispatches the instructions of stages and checks each on the way."""

    graph: StageGraph
    bases: Mapping[str, ImageConfig]
    ignore: IgnoreRules | None
    findings: Findings
    unknown_bases: bool = False
    states: dict[int, StageState] = field(default_factory=dict)
    checks: dict[int, StageChecks] = field(default_factory=dict)

    def check(self, indexes: Iterable[int]) -> None:
        """Check stages in file order; raises at the first error, as BuildKit does."""
        for index in indexes:
            self._check_stage(index)

    def _check_stage(self, index: int) -> None:
        node = self.graph.nodes[index]
        inside = node.base.kind == "stage"
        config = self.bases.get(node.base.name, ImageConfig())
        base = self.states[node.base.index] if inside else config
        workdir_set = inside and self.checks[node.base.index].workdir_set
        if inside:
            owners = dict(self.checks[node.base.index].owners)
        else:
            owners = {} if node.base.kind == "scratch" else usual_directories()
        checks = self.checks[index] = StageChecks(self.ignore, workdir_set, owners)
        state = begin_stage(self.graph, index, base)
        triggers: tuple[AnyInstruction, ...] = ()
        if index in self.graph.needed:
            triggers = triggers_of(self.graph, index, base)
        for instruction in (*triggers, *node.stage.instructions):
            state = self._check_instruction(index, state, instruction, checks)
        self.states[index] = state

    def _check_instruction(
        self, index: int, state: StageState, instruction: AnyInstruction, checks: StageChecks
    ) -> StageState:
        scoped = self.findings.scoped(instruction.comments)
        reader = WordReader(state.variables, self.graph.dockerfile.escape, state.declared)
        expanded = expand_instruction(instruction, reader)
        if self._knows_variables(index):
            check_unknown(instruction, reader, scoped)
        check_secret_args(instruction, scoped)
        if not reader.problems:
            checks.check(state, expanded, scoped)
        reader.unknown.clear()
        try:
            return apply_expanded(self.graph, index, state, expanded, reader)[0]
        finally:
            # ARG and the mounts of RUN are expanded only now; what they looked up in vain is
            # reported even when the instruction fails.
            if self._knows_variables(index):
                check_unknown(instruction, reader, scoped)

    def _knows_variables(self, index: int) -> bool:
        """Whether it is certain which variables a stage has."""
        if not self.unknown_bases:
            return True
        base = self.graph.nodes[index].base
        if base.kind == "stage":
            return self._knows_variables(base.index)
        return base.kind == "scratch" or base.name in self.bases
