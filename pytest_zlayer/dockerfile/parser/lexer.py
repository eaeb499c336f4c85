"""The lexer behind the grammar: a file becomes lines of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lark import Token
from lark.common import LexerConf
from lark.lexer import Lexer

from pytest_zlayer.dockerfile.errors import Diagnostic
from pytest_zlayer.dockerfile.parser.cutter import Cutter
from pytest_zlayer.dockerfile.parser.directives import builder_directives
from pytest_zlayer.dockerfile.parser.lexeme import Lexeme, Refusal
from pytest_zlayer.dockerfile.parser.lines import LineReader, LogicalLine
from pytest_zlayer.dockerfile.parser.patterns import Patterns


class Scan:
    """A file cut into tokens, line by line, with the parse errors found on the way."""

    def __init__(self, reader: LineReader) -> None:
        self.reader = reader
        self.lines: list[list[Lexeme]] = []
        self.errors = reader.errors


class DockerfileLexer(Lexer):
    """Hands the tokens of a ``Scan`` to Lark; ``scan`` makes one of a text."""

    __future_interface__ = 2

    def __init__(self, conf: LexerConf) -> None:
        self._terminals = {one.name: one.pattern.to_regexp() for one in conf.terminals}
        # Compiled when met: Lark makes a lexer too, which never cuts anything.
        self._patterns: dict[str, Patterns] = {}

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:  # noqa: ARG002
        """The tokens of ``lexer_state.text``: lines that are cut already."""
        token = None
        for line in lexer_state.text:
            yield from line
            token = line[-1]
        if token is not None:
            _place(token)

    def builder_directives(self, text: str) -> Mapping[str, str]:
        """What a builder reads at the top of a file before it is parsed."""
        return builder_directives(text, self.patterns("\\").directive)

    def patterns(self, escape: str) -> Patterns:
        """The regular expressions for an escape character."""
        if escape not in self._patterns:
            self._patterns[escape] = Patterns(self._terminals, escape)
        return self._patterns[escape]

    def scan(self, text: str, *, escape: str = "\\") -> Scan:
        """Cut a whole file; parse errors are gathered, not raised."""
        reader = LineReader(text, self.patterns(escape).directive, escape=escape)
        scan = Scan(reader)
        for line in reader.logical_lines():
            self._cut(line, scan)
        return scan

    def _cut(self, line: LogicalLine, scan: Scan) -> None:
        reader = scan.reader
        try:
            scan.lines.append(Cutter(line, self.patterns(reader.escape), reader).cut())
        except Refusal as refusal:
            span = line.span(refusal.start, refusal.end)
            lines = (line.first, reader.number)
            scan.errors.append(Diagnostic(refusal.message, span, refusal.hint, lines))


def _place(end: Lexeme) -> None:
    """Give the last token the positions that Lark copies to the end of the file."""
    span = end.word.span
    end.line, end.column = span.line, span.column
    end.end_line, end.end_column = span.end_line, span.end_column
