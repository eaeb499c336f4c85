"""Dockerfile text to typed instructions: BuildKit's phases "parse" and "instruction"."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from pytest_zlayer.dockerfile.errors import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.grammar import load_grammar
from pytest_zlayer.dockerfile.instructions import AnyInstruction, Arg, Dockerfile, From, Stage
from pytest_zlayer.dockerfile.parser.broken import BrokenDockerfile
from pytest_zlayer.dockerfile.parser.build_instruction import build
from pytest_zlayer.dockerfile.parser.flags import InstructionError
from pytest_zlayer.dockerfile.parser.lexeme import Lexeme
from pytest_zlayer.dockerfile.parser.lexer import DockerfileLexer, Scan
from pytest_zlayer.dockerfile.parser.parts import split_parts
from pytest_zlayer.dockerfile.parser.refusals import heredoc_hint, refusal
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.written import Instruction

if TYPE_CHECKING:
    from lark import Lark

_BOM = "\ufeff"
_ONE_COLUMN = Span(1, 1, 1, 1)


def parse(text: str | bytes, *, filename: str | None = None) -> Dockerfile:
    """Read a Dockerfile by BuildKit's rules, without expanding anything.

    Args:
        text: the source; bytes are UTF-8, and what is no UTF-8 becomes U+FFFD.
        filename: the name that errors show.

    Raises:
        DockerfileError: in phase ``parse`` when the text cannot be cut into instructions, else in
            phase ``instruction`` when one of them makes no sense. It holds all errors of that
            phase.
    """
    found = read(text, filename=filename)
    if isinstance(found, BrokenDockerfile):
        raise found.error
    return found


def read(text: str | bytes, *, filename: str | None = None) -> Dockerfile | BrokenDockerfile:
    """As :func:`parse`, but an error of phase ``instruction`` comes with what could be read.

    Raises:
        DockerfileError: in phase ``parse``: there are no instructions to speak of.
    """
    return Parser.shared().read(decoded(text), filename)


def decoded(text: str | bytes) -> str:
    """The text of a Dockerfile without a byte order mark."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return text.removeprefix(_BOM)


class Parser:
    """The grammar and its lexer; holds no state of a parse, so threads may share it."""

    def __init__(self, grammar: Lark) -> None:
        self._grammar = grammar
        self._lexer = DockerfileLexer(grammar.lexer_conf)

    @classmethod
    @functools.cache
    def shared(cls) -> Parser:
        """The parser of this process; the grammar is loaded at the first call."""
        return cls(load_grammar("dockerfile", start=("start", "line"), lexer=DockerfileLexer))

    def read(self, text: str, filename: str | None) -> Dockerfile | BrokenDockerfile:
        """``read`` for decoded text."""
        scan = self._scan(text, filename)
        directives = self._lexer.builder_directives(text)
        instructions = self._instructions(scan, text)
        if instructions is None:
            return self._broken(scan, text, filename, _check(directives))
        return Dockerfile(
            text=text,
            filename=filename,
            escape=scan.reader.escape,
            syntax=directives.get("syntax"),
            check=_check(directives),
            instructions=instructions,
            global_args=_global_args(instructions),
            stages=_stages(instructions),
        )

    def parse_one(self, text: str, escape: str) -> AnyInstruction:
        """The single instruction of ``text``; every error is a plain ``DockerfileError``."""
        scan = self._scan(text, None, escape=escape)
        if len(scan.lines) != 1:
            message = "onbuild trigger should be a single expression"
            raise _error([Diagnostic(message, _ONE_COLUMN)], "instruction", text, None)
        try:
            return self._one(scan.lines[0], text)
        except InstructionError as error:
            found = Diagnostic(error.message, error.span, error.hint)
            raise _error([found], "instruction", text, None) from error

    def _scan(self, text: str, filename: str | None, *, escape: str = "\\") -> Scan:
        if not text:
            empty = Diagnostic("the Dockerfile cannot be empty", _ONE_COLUMN)
            raise _error([empty], "parse", text, filename)
        scan = self._lexer.scan(text, escape=escape)
        if not scan.lines and not scan.errors:
            last = scan.reader.number
            span = Span(last, 1, last, 1)
            nothing = Diagnostic("file with no instructions", span, lines=(last, last))
            raise _error([nothing], "parse", text, filename)
        if scan.errors:
            raise _error(scan.errors, "parse", text, filename)
        return scan

    def _instructions(self, scan: Scan, text: str) -> tuple[AnyInstruction, ...] | None:
        """All instructions; ``None`` when one of them or their order is wrong."""
        from lark import UnexpectedToken

        try:
            tree = self._grammar.parse(cast(Any, scan.lines), start="start")
            return tuple([build(tokens, text) for tokens in _leaves(tree)])
        except (UnexpectedToken, InstructionError):
            return None

    def _broken(
        self, scan: Scan, text: str, filename: str | None, check: str | None
    ) -> BrokenDockerfile:
        """Look at each line by itself: what it is, what is wrong with it and with their order."""
        instructions: list[Instruction] = []
        errors: list[Diagnostic] = []
        reached = 0
        in_stage = False
        before = ""
        for tokens in scan.lines:
            keyword = tokens[0]
            lines = (keyword.logical.first, keyword.logical.last)
            in_stage = in_stage or keyword.type == "FROM"
            try:
                instructions.append(self._one(tokens, text))
            except InstructionError as error:
                instructions.append(Instruction(**split_parts(tokens, text).common()))
                hint = error.hint
                if keyword.type == "UNKNOWN":
                    hint = hint or heredoc_hint(before)
                errors.append(Diagnostic(error.message, error.span, hint, lines))
                before = ""
            else:
                before = "" if instructions[-1].heredocs else instructions[-1].source
                if not in_stage and keyword.type != "ARG":
                    message = "no build stage in current context"
                    errors.append(Diagnostic(message, keyword.word.span, _FROM_FIRST, lines))
                    in_stage = True
            if errors and not reached:
                reached = len(instructions)
        return BrokenDockerfile(
            check=check,
            lines=tuple(instructions),
            instructions=tuple(instructions[:reached]),
            error=_error(errors, "instruction", text, filename),
        )

    def _one(self, tokens: Sequence[Lexeme], text: str) -> AnyInstruction:
        from lark import UnexpectedToken

        try:
            self._grammar.parse(cast(Any, [tokens]), start="line")
        except UnexpectedToken as error:
            raise refusal(tokens, cast(Lexeme, error.token), text) from error
        return build(tokens, text)


_FROM_FIRST = "only ARG may stand before the first FROM"


def _error(
    found: Iterable[Diagnostic], phase: Any, text: str, filename: str | None
) -> DockerfileError:
    return DockerfileError(found, phase=phase, text=text, filename=filename)


def _check(directives: Mapping[str, str]) -> str | None:
    return directives.get("check", "").split(" ")[0] or None


def _leaves(tree: Any) -> Iterator[list[Lexeme]]:
    """The tokens of each instruction in order."""
    for child in tree.children:
        if child.data == "stage":
            for instruction in child.children:
                yield instruction.children
        else:
            yield child.children


def _global_args(instructions: Sequence[AnyInstruction]) -> tuple[Arg, ...]:
    found: list[Arg] = []
    for instruction in instructions:
        if not isinstance(instruction, Arg):
            break
        found.append(instruction)
    return tuple(found)


def _stages(instructions: Sequence[AnyInstruction]) -> tuple[Stage, ...]:
    starts = [at for at, one in enumerate(instructions) if isinstance(one, From)]
    ends = [*starts, len(instructions)][1:]
    return tuple(
        Stage(index, cast(From, instructions[start]), tuple(instructions[start + 1 : end]))
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def parse_trigger(
    text: str,
    *,
    span: Span,
    escape: str = "\\",
    filename: str | None = None,
    file_text: str = "",
) -> AnyInstruction:
    """The instruction that one ONBUILD trigger of a base image stands for.

    Args:
        text: the trigger as the image stores it.
        span: where errors are located: the FROM that fires the trigger.
        escape: the escape character.
        filename: the name that errors show.
        file_text: the source of the Dockerfile with that FROM.

    Raises:
        DockerfileError: in phase ``dispatch``: the trigger is no single, valid instruction that
            may be triggered.
    """
    try:
        instruction = Parser.shared().parse_one(text, escape)
    except DockerfileError as error:
        found = [Diagnostic(one.message, span, one.hint) for one in error.diagnostics]
        raise _error(found, "dispatch", file_text, filename) from error
    if isinstance(instruction, From):
        message = "FROM isn't allowed as an ONBUILD trigger"
        raise _error([Diagnostic(message, span)], "dispatch", file_text, filename)
    return instruction
