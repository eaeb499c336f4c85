"""Where things stand in a Dockerfile: positions, spans and words that remember them."""

from __future__ import annotations

from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of source text; lines and columns count from 1, the end column is exclusive.

    Lines are physical lines; columns count characters (not bytes).
    """

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of an instruction as the parser split it: unexpanded, quotes and escapes kept."""

    value: str
    span: Span

    def __str__(self) -> str:
        return self.value
