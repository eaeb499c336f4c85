"""The lexer behind the word grammar: which terminals may stand where in a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lark import Token
from lark.common import LexerConf
from lark.lexer import Lexer

from pytest_zlayer.dataclass import dataclass

_ITEMS = ("ESCAPED", "LAST_ESCAPE", "SINGLE", "UNCLOSED_SINGLE", "QUOTE")
_OPERATORS = ("CONDITION", "TRIM", "REPLACE", "UNSUPPORTED")

# What is looked for, in this order, in each place of a word.
_TERMINALS: Mapping[str, tuple[str, ...]] = {
    "word": ("TEXT", *_ITEMS),
    "argument": ("ARGUMENT_TEXT", *_ITEMS, "CLOSE"),
    "pattern": ("PATTERN_TEXT", *_ITEMS, "SLASH"),
    "quotes": ("QUOTED_TEXT", "QUOTED_ESCAPE", "KEPT_ESCAPE", "QUOTE"),
    "opened": ("BAD_NAME", "NAME"),
    "named": ("CLOSE",),
    "operator": _OPERATORS,
    "dollar": ("OPEN", "VARIABLE", "DOLLAR"),
}
# What is looked for when nothing of it is found: several places share it, for compiling takes long.
_OTHERWISE = {"opened": "operator", "named": "operator"}
_ENTERS = {"OPEN": "opened", "QUOTE": "quotes"}
_BECOMES = {
    "NAME": "named",
    "CONDITION": "argument",
    "TRIM": "argument",
    "REPLACE": "pattern",
    "SLASH": "argument",
}


@dataclass(frozen=True, slots=True)
class WordText:
    """A word to be parsed; ``quotes`` is false where quotes are ordinary characters."""

    text: str
    escape: str = "\\"
    quotes: bool = True


class WordLexer(Lexer):
    """Cuts a ``WordText``; every text can be cut."""

    __future_interface__ = 2

    def __init__(self, conf: LexerConf) -> None:
        self._regexes = {one.name: one.pattern.to_regexp() for one in conf.terminals}
        self._dialects: dict[tuple[str, bool], _Places] = {}

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:  # noqa: ARG002
        """The tokens of ``lexer_state.text``."""
        source: WordText = lexer_state.text
        places = self._places(source.escape, quotes=source.quotes)
        text = source.text
        stack = ["word"]
        position = 0
        while match := (
            places[(place := stack[-1])].match(text, position)
            or places[_OTHERWISE.get(place, "dollar")].match(text, position)
        ):
            kind = match.lastgroup or ""
            if place == "opened" and kind in _OPERATORS:
                yield Token("NAME", "", start_pos=position)
            yield Token(kind, match[0], start_pos=position)
            position = match.end()
            _move(stack, kind)

    def _places(self, escape: str, *, quotes: bool) -> _Places:
        dialect = (escape, quotes)
        if dialect not in self._dialects:
            regexes = {name: _adapted(one, *dialect) for name, one in self._regexes.items()}
            self._dialects[dialect] = _Places(regexes)
        return self._dialects[dialect]


class _Places(dict[str, re.Pattern[str]]):
    """The regular expression of each place, for one dialect; compiled when it is met."""

    def __init__(self, regexes: Mapping[str, str]) -> None:
        super().__init__()
        self._regexes = regexes

    def __missing__(self, place: str) -> re.Pattern[str]:
        pieces = [f"(?P<{name}>{self._regexes[name]})" for name in _TERMINALS[place]]
        pattern = self[place] = re.compile("|".join(pieces))
        return pattern


def _move(stack: list[str], kind: str) -> None:
    """Where the lexer stands after a token of this kind."""
    if kind == "CLOSE" or (kind == "QUOTE" and stack[-1] == "quotes"):
        stack.pop()
    elif kind in _ENTERS:
        stack.append(_ENTERS[kind])
    elif kind in _BECOMES:
        stack[-1] = _BECOMES[kind]


def _adapted(regex: str, escape: str, quotes: bool) -> str:
    regex = regex if quotes else regex.replace("'\"", "")
    return regex if escape == "\\" else regex.replace("\\\\", escape)
