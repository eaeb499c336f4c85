"""The tokens of one line, sorted by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_zlayer.dockerfile.parser.lexeme import Lexeme
from pytest_zlayer.dockerfile.parser.lines import LogicalLine
from pytest_zlayer.dockerfile.source import Word
from pytest_zlayer.dockerfile.written import Flag, Heredoc


class Parts:
    """An instruction before it gets its type.

    ``tokens`` are the arguments, ``words`` the same as words; with ONBUILD they are those of the
    ``trigger``.
    """

    __slots__ = (
        "flags", "heredocs", "json", "keyword", "line", "text", "tokens", "trigger",
        "trigger_flags", "words",
    )  # fmt: skip

    keyword: Lexeme
    line: LogicalLine
    json: bool
    text: str
    flags: tuple[Flag, ...]
    tokens: list[Lexeme]
    words: tuple[Word, ...]
    heredocs: tuple[Heredoc, ...]
    trigger: Lexeme | None
    trigger_flags: tuple[Flag, ...]

    def common(self, args: tuple[Word, ...] | None = None) -> dict[str, Any]:
        """What every instruction has; ``args`` where they are not simply the words."""
        line = self.line
        return {
            "span": line.whole,
            "source": self.text[line.offsets[0] : line.end],
            "keyword": self.keyword.value,
            "flags": self.flags,
            "args": self.words if args is None else args,
            "json": self.json,
            "heredocs": self.heredocs,
            "comments": line.comments,
            "empty_continuation": line.empty_continuation,
        }

    def split_pair(self, token: Lexeme) -> tuple[Word, Word]:
        """Both sides of the first ``=``, each with its own span."""
        name, _, value = token.word.value.partition("=")
        start, end = token.start_pos or 0, token.end_pos or 0
        middle = start + len(name)
        return (
            Word(name, self.line.span(start, middle)),
            Word(value, self.line.span(middle + 1, end)),
        )


def split_parts(tokens: Sequence[Lexeme], text: str) -> Parts:
    """Sort the tokens of one line of ``text``."""
    parts = Parts()
    keyword = parts.keyword = tokens[0]
    parts.line, parts.json, parts.text, parts.trigger = keyword.logical, keyword.json, text, None
    flags: list[Flag] = []
    own_flags = flags
    heredocs: list[Heredoc] = []
    arguments = parts.tokens = []
    for token in tokens[1:]:
        kind = token.type
        if kind == "FLAG":
            flags.append(_flag(token, keyword.logical.text))
        elif kind == "HEREDOC":
            heredocs.append(token.heredoc)
        elif kind == "TRIGGER":
            parts.trigger, flags = token, []
        elif kind[0] != "_":
            arguments.append(token)
    parts.flags = tuple(own_flags)
    parts.trigger_flags = () if flags is own_flags else tuple(flags)
    parts.words = tuple([token.word for token in arguments]) if parts.trigger is None else ()
    parts.heredocs = tuple(heredocs)
    return parts


def _flag(token: Lexeme, line: str) -> Flag:
    name, equals, value = token.value[2:].partition("=")
    raw = line[token.start_pos : token.end_pos]
    return Flag(name, value if equals else None, token.word.span, raw)
