"""The tokens handed to the grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lark import Token

from pytest_zlayer.dockerfile.source import Word

if TYPE_CHECKING:
    from typing_extensions import Self

    from pytest_zlayer.dockerfile.parser.lines import LogicalLine
    from pytest_zlayer.dockerfile.written import Heredoc


class Lexeme(Token):
    """A token that knows the word it was made from.

    A keyword also carries its ``logical`` line and whether its arguments are in JSON form, a
    HEREDOC carries the here-document. ``start_pos`` and ``end_pos`` count within the logical line.
    """

    __slots__ = ("heredoc", "json", "logical", "word")

    word: Word
    logical: LogicalLine
    json: bool
    heredoc: Heredoc

    def __new__(cls, kind: str, word: Word) -> Self:
        lexeme = str.__new__(cls, word.value)
        lexeme.type = kind
        lexeme.value = word.value
        lexeme.word = word
        return lexeme


class Refusal(Exception):
    """The line cannot be cut: a parse error with the stretch of the line it is about."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.start = start
        self.end = end
