"""Build checks on what is written: keywords, stage names, FROM lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_zlayer.dockerfile.instructions import Arg, Dockerfile, From, Stage
from pytest_zlayer.dockerfile.lint.findings import Findings, spot
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.stages.bases import read_platform
from pytest_zlayer.dockerfile.stages.scope import (
    NOTHING,
    GlobalScope,
    Reading,
    global_scope,
    read_word,
)
from pytest_zlayer.dockerfile.stages.sources import RESERVED_NAMES
from pytest_zlayer.dockerfile.values.platforms import Platform
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.references import parse_reference
from pytest_zlayer.dockerfile.values.suggest import suggest
from pytest_zlayer.dockerfile.written import Instruction

# The words of FROM image AS name.
_NAMED = 3


def check_continuations(instructions: Iterable[Instruction], findings: Findings) -> None:
    """NoEmptyContinuation, at the last line of the continued instruction."""
    for instruction in instructions:
        if instruction.empty_continuation:
            span = _last_line(instruction)
            findings.report("NoEmptyContinuation", "Empty continuation line", span)


def _last_line(instruction: Instruction) -> Span:
    # Here-documents follow the logical line: each is its body and a terminator.
    bodies = sum(one.content.count("\n") + 1 for one in instruction.heredocs)
    end = instruction.span.end_line - bodies
    return Span(end, 1, end, instruction.span.end_column if not bodies else 2)


def check_instructions(instructions: Iterable[Instruction], findings: Findings) -> None:
    """Rules that look at one instruction as it is written; it may be one that was refused."""
    for instruction in instructions:
        scoped = findings.scoped(instruction.comments)
        # BuildKit applies these two before it finds out whether the instruction makes sense.
        match instruction.name or instruction.keyword.upper():
            case "MAINTAINER":
                message = "Maintainer instruction is deprecated in favor of using label"
                scoped.report("MaintainerDeprecated", message, instruction.span)
            case "FROM":
                _check_from_casing(instruction, scoped)
        match instruction:
            case From(stage_name=str(name)):
                _check_description(instruction, [name], scoped)
            case Arg():
                names = [one.name.value for one in instruction.declarations]
                _check_description(instruction, names, scoped)


def _check_from_casing(instruction: Instruction, findings: Findings) -> None:
    words = instruction.args
    if len(words) < _NAMED:
        return
    name = words[2]
    if len(words) == _NAMED and name.value != name.value.lower():
        message = f"Stage name '{name.value}' should be lowercase"
        findings.report("StageNameCasing", message, spot(instruction, name.span))
    keyword, joint = instruction.keyword, words[1]
    if not _same_case(keyword, joint.value):
        message = f"'{joint.value}' and '{keyword}' keywords' casing do not match"
        findings.report("FromAsCasing", message, spot(instruction, joint.span))


def _same_case(keyword: str, joint: str) -> bool:
    if keyword == keyword.lower():
        return joint == joint.lower()
    # A keyword in mixed case is reported by a rule of its own.
    return keyword != keyword.upper() or joint == joint.upper()


def _check_description(instruction: From | Arg, names: list[str], findings: Findings) -> None:
    if not instruction.comments or instruction.comments[-1].split(" ")[0] in names:
        return
    shown = names[0] if len(names) == 1 else "<arg_key>"
    message = f"Comment for {instruction.name} should follow the format: `# {shown} <description>`"
    findings.report("InvalidDefinitionDescription", message, instruction.span)


def check_stage_names(stages: Iterable[Stage], findings: Findings) -> None:
    """ReservedStageName and DuplicateStageName."""
    seen: set[str] = set()
    for stage in stages:
        name, word = stage.name, stage.from_.stage_word
        if name is None:
            continue
        where = spot(stage.from_, word.span if word else None)
        if name in RESERVED_NAMES:
            message = f"Stage name should not use the same name as reserved stage {go_quote(name)}"
            findings.report("ReservedStageName", message, where)
        if name in seen:
            message = f"Duplicate stage name {go_quote(name)}, stage names should be unique"
            findings.report("DuplicateStageName", message, where)
        seen.add(name)


def check_casing(stages: Iterable[Stage], findings: Findings) -> None:
    """ConsistentInstructionCasing: the majority decides, upper case when there is none."""
    written = [one for stage in stages for one in (stage.from_, *stage.instructions)]
    lower = sum(one.keyword == one.keyword.lower() for one in written)
    upper = sum(one.keyword == one.keyword.upper() for one in written)
    wanted = "lowercase" if lower > upper else "uppercase"
    for one in written:
        right = one.keyword.lower() if lower > upper else one.keyword.upper()
        if one.keyword != right:
            message = f"Command '{one.keyword}' should match the case of the command majority"
            where = Span(
                one.span.line, one.span.column, one.span.line, one.span.column + len(one.keyword)
            )
            findings.report("ConsistentInstructionCasing", f"{message} ({wanted})", where)


def check_default_args(
    dockerfile: Dockerfile, automatic: Mapping[str, str], findings: Findings
) -> None:
    """InvalidDefaultArgInFrom: image names must be valid with the defaults of ARG alone."""
    scope = global_scope(dockerfile, automatic, NOTHING)
    if scope.problems:
        return
    for stage in dockerfile.stages:
        word = stage.from_.image
        reading = read_word(word.value, scope.values, dockerfile.escape)
        if reading.error is not None:
            return
        if not _is_reference(reading.value):
            message = (
                f"Default value for ARG {word.value} results in empty or invalid base image name"
            )
            findings.report("InvalidDefaultArgInFrom", message, spot(stage.from_, word.span))


def _is_reference(text: str) -> bool:
    try:
        parse_reference(text)
    except ValueError:
        return False
    return True


def check_bases(
    dockerfile: Dockerfile, scope: GlobalScope, host: Platform, findings: Findings
) -> None:
    """Rules on the variables and the platform of FROM; ends at the first FROM with an error."""
    for stage in dockerfile.stages:
        scoped = findings.scoped(stage.from_.comments)
        image = stage.from_.image
        reading = read_word(image.value, scope.values, dockerfile.escape)
        _check_declared(stage.from_, image, reading, scope, scoped)
        if reading.error is not None or not reading.value:
            return
        word = stage.from_.platform
        if word is None or not word.value:
            continue
        reading = read_word(word.value, scope.values, dockerfile.escape)
        _check_declared(stage.from_, word, reading, scope, scoped)
        _, platform = read_platform(word.value, reading, scope.values, host)
        _check_redundant(stage, word, reading, scope, scoped)
        if platform is None:
            return
        if not reading.found and not reading.missing:
            _check_constant(stage, word, reading, platform, scoped)


def _check_declared(
    instruction: From, word: Word, reading: Reading, scope: GlobalScope, findings: Findings
) -> None:
    for name in reading.missing:
        if name in scope.declared:
            continue
        meant = suggest(name, sorted(scope.declared))
        tail = f" (did you mean {meant}?)" if meant else ""
        message = f"FROM argument '{name}' is not declared{tail}"
        findings.report("UndefinedArgInFrom", message, spot(instruction, word.span))


def _check_redundant(
    stage: Stage, word: Word, reading: Reading, scope: GlobalScope, findings: Findings
) -> None:
    target = scope.values.get("TARGETPLATFORM")
    if reading.found == ("TARGETPLATFORM",) and not reading.missing and reading.value == target:
        message = (
            f"Setting platform to predefined {word.value} in FROM is redundant as this is the"
            " default behavior"
        )
        findings.report("RedundantTargetPlatform", message, spot(stage.from_, word.span))


def _check_constant(
    stage: Stage, word: Word, reading: Reading, platform: Platform, findings: Findings
) -> None:
    name = stage.name or ""
    # A stage named after its platform means it.
    if platform.os in name or platform.architecture in name:
        return
    message = f"FROM --platform flag should not use constant value {go_quote(reading.value)}"
    findings.report("FromPlatformFlagConstDisallowed", message, spot(stage.from_, word.span))
