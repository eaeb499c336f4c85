"""Cutting one logical line into tokens; the keyword decides how."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from pytest_zlayer.dockerfile.parser.heredocs import HeredocWord, heredocs_of
from pytest_zlayer.dockerfile.parser.lexeme import Lexeme, Refusal
from pytest_zlayer.dockerfile.parser.lines import LineReader, LogicalLine
from pytest_zlayer.dockerfile.parser.patterns import Patterns
from pytest_zlayer.dockerfile.shell.split import ShellSyntaxError
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.spaces import BLANKS, SPACES
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.written import Heredoc
from pytest_zlayer.lazy import late_pattern

_NOT_STRINGS = "when using JSON array syntax, arrays must be comprised of strings only"
_ELEMENT = late_pattern(r'"(?:[^"\\]+|\\.)*"')
_SURROGATE = late_pattern("[\ud800-\udfff]")


def _upper(keyword: str) -> str:
    """A keyword in capitals; one with a letter that no keyword has stays as it is.

    Go folds letter by letter: a dotted capital I is an i and the Kelvin sign a k, but a long s is
    no s.
    """
    if not keyword.isascii():
        keyword = keyword.replace("\u0130", "i").replace("\u212a", "k")
    return keyword.upper() if keyword.isascii() else keyword


class Cutter:
    """Cuts one logical line; takes the bodies of its here-documents from the reader."""

    def __init__(self, line: LogicalLine, patterns: Patterns, reader: LineReader) -> None:
        self._line = line
        self._text = line.text
        self._patterns = patterns
        self._reader = reader
        self._tokens: list[Lexeme] = []
        if len(line.starts) == 1:
            self._number, self._column = line.numbers[0], line.columns[0]
        else:
            self._number = 0

    def cut(self) -> list[Lexeme]:
        """The tokens of the line.

        Raises:
            Refusal: an error of BuildKit's phase "parse".
        """
        text = self._text
        start = len(text) - len(text.lstrip(SPACES)) if text[:1] in SPACES else 0
        keyword = self._instruction(start, len(text.rstrip(SPACES)))
        if keyword is not None and "<<" in text and not keyword.json:
            self._take_heredocs()
        self._add("_EOL", len(text), len(text))
        return self._tokens

    def _add(self, kind: str, start: int, end: int) -> Lexeme:
        """A token that is a plain stretch of the line."""
        return self._add_value(kind, self._text[start:end], start, end)

    def _add_value(self, kind: str, value: str, start: int, end: int) -> Lexeme:
        if number := self._number:
            column = self._column
            span = Span(number, column + start, number, column + end)
        else:
            span = self._line.span(start, end)
        lexeme = Lexeme(kind, Word(value, span))
        lexeme.start_pos, lexeme.end_pos = start, end
        self._tokens.append(lexeme)
        return lexeme

    def _instruction(self, start: int, stop: int) -> Lexeme | None:
        """Cut ``text[start:stop]``; gives the keyword that may have here-documents, if any."""
        name, keyword, start = self._head(start, stop, trigger=False)
        depth = 0
        while name == "ONBUILD" and start < stop:
            name, keyword, start = self._head(start, stop, trigger=True)
            depth += 1
        form = _FORMS.get(name)
        if form is not None:
            keyword.json = form(self, start, stop)
        return keyword if name in _WITH_HEREDOCS and depth < 2 else None

    def _head(self, start: int, stop: int, *, trigger: bool) -> tuple[str, Lexeme, int]:
        """Cut the keyword and its flags; gives the name and where the arguments begin."""
        found = self._patterns.word.match(self._text, start, stop)
        end = found.end() if found else start
        name = _upper(self._text[start:end])
        known = name if name in _FORMS else "UNKNOWN"
        keyword = self._add(_trigger_kind(name) if trigger else known, start, end)
        keyword.logical, keyword.json = self._line, False
        return name, keyword, self._flags(end, stop)

    def _flags(self, start: int, stop: int) -> int:
        """Cut flags off; gives where the arguments begin."""
        text, spaces = self._text, SPACES
        while start < stop:
            if text[start] in spaces:
                start += 1
            elif text.startswith("--", start):
                value, start = self._flag(start, stop)
                if start == stop - 1:  # a lone escape character
                    return stop
                if value == "--":
                    return self._skip_spaces(start, stop)
            else:
                break
        return start

    def _flag(self, start: int, stop: int) -> tuple[str, int]:
        """Cut one flag off, unless it is the word that ends them; gives its value and end."""
        found = self._patterns.flag.match(self._text, start, stop)
        end = found.end() if found else stop
        value = self._patterns.unquote_flag(self._text[start:end])
        if value != "--":
            self._add_value("FLAG", value, start, end)
        return value, end

    def _skip_spaces(self, start: int, stop: int) -> int:
        while start < stop and self._text[start] in SPACES:
            start += 1
        return start

    def cut_command(self, start: int, stop: int) -> bool:
        if start >= stop:
            return False
        if self._text[start] == "[" and self._json(start, stop):
            return True
        self._add("TEXT", start, stop)
        return False

    def cut_list(self, start: int, stop: int) -> bool:
        if start < stop and self._text[start] == "[" and self._json(start, stop):
            return True
        return self.cut_words(start, stop)

    def cut_words(self, start: int, stop: int) -> bool:
        for found in self._patterns.word.finditer(self._text, start, stop):
            self._add("WORD", found.start(), found.end())
        return False

    def cut_from(self, start: int, stop: int) -> bool:
        at = len(self._tokens)
        self.cut_words(start, stop)
        words = self._tokens[at:]
        if len(words) > 1 and words[1].casefold() == "as":
            words[1].type = "AS"
        return False

    def cut_text(self, start: int, stop: int) -> bool:
        if start < stop:
            self._add("TEXT", start, stop)
        return False

    def cut_names(self, start: int, stop: int) -> bool:
        text = self._text
        for found in self._patterns.pair.finditer(text, start, stop):
            self._add("PAIR" if "=" in found[0] else "NAME", found.start(), found.end())
        return False

    def cut_env(self, start: int, stop: int) -> bool:
        return self._pairs("ENV", start, stop)

    def cut_label(self, start: int, stop: int) -> bool:
        return self._pairs("LABEL", start, stop)

    def _pairs(self, name: str, start: int, stop: int) -> bool:
        first = True
        for found in self._patterns.pair.finditer(self._text, start, stop):
            if "=" not in found[0]:
                if first:
                    return self._legacy_pair(name, start, stop)
                raise Refusal(
                    f"Syntax error - can't find = in {go_quote(found[0])}."
                    " Must be of the form: name=value",
                    found.start(),
                    found.end(),
                )
            self._add("PAIR", found.start(), found.end())
            first = False
        return False

    def _legacy_pair(self, name: str, start: int, stop: int) -> bool:
        found = self._patterns.word.match(self._text, start, stop)
        end = found.end() if found else start
        if end == stop:
            raise Refusal(f"{name} must have two arguments", start, stop)
        self._add("NAME", start, end)
        while self._text[end] in BLANKS:
            end += 1
        self._add("VALUE", end, stop)
        return False

    def cut_health(self, start: int, stop: int) -> bool:
        end = start
        while end < stop and self._text[end] not in SPACES:
            end += 1
        if end == start:
            return False
        kind = {"NONE": "NONE", "CMD": "PROBE"}.get(self._text[start:end].upper(), "WORD")
        self._add(kind, start, end)
        return self.cut_command(self._skip_spaces(end, stop), stop)

    def _json(self, start: int, stop: int) -> bool:
        """Cut a JSON array of strings; false when the text is no JSON at all."""
        text = self._text[start:stop]
        values = _json_array(text)
        if values is None:
            return False
        if not all(isinstance(value, str) for value in values):
            raise Refusal(_NOT_STRINGS, start, stop)
        self._add("_LSQB", start, start + 1)
        for value, found in zip(values, _ELEMENT.finditer(text), strict=True):
            whole = _SURROGATE.sub("\ufffd", value)
            self._add_value("STRING", whole, start + found.start(), start + found.end())
        self._add("_RSQB", stop - 1, stop)
        return True

    def _take_heredocs(self) -> None:
        try:
            announced = heredocs_of(self._text)
        except ShellSyntaxError as error:
            raise Refusal(str(error), 0, len(self._text)) from error
        for one in announced:
            first = self._reader.number
            content = self._reader.read_body(one.name, chomp=one.chomp)
            if content is None:
                hint = _indented_end(self._reader.indented(one.name, first), one)
                raise Refusal("unterminated heredoc", one.start, one.end, hint)
            lexeme = self._add("HEREDOC", one.start, one.end)
            lexeme.heredoc = Heredoc(
                one.name, content, one.expand, one.chomp, one.fd, lexeme.word.span
            )
        if announced:
            self._reader.extend(self._line)


def _indented_end(line: int | None, heredoc: HeredocWord) -> str | None:
    if line is None:
        return None
    allowed = "only tabs may" if heredoc.chomp else "nothing may"
    return f"{allowed} stand before {heredoc.name} in line {line}, where it is to end"


def _trigger_kind(name: str) -> str:
    return name if name in ("FROM", "MAINTAINER", "ONBUILD") else "TRIGGER"


def _json_array(text: str) -> list[Any] | None:
    """The array ``text`` is, by the rules of RFC 8259; ``None`` when it is none."""
    if text[-1] != "]":
        return None
    try:
        value: list[Any] = _JSON.decode(text)
    except (ValueError, RecursionError):
        return None
    return value


def _no_json(name: str) -> NoReturn:
    raise ValueError(name)


def _number(digits: str) -> float:
    """A number; BuildKit refuses what a float cannot hold."""
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(digits)
    return value


_JSON = json.JSONDecoder(parse_constant=_no_json, parse_float=_number, parse_int=_number)
_WITH_HEREDOCS = frozenset(("RUN", "COPY", "ADD"))
_FORMS: dict[str, Callable[[Cutter, int, int], bool]] = {
    "ADD": Cutter.cut_list,
    "ARG": Cutter.cut_names,
    "CMD": Cutter.cut_command,
    "COPY": Cutter.cut_list,
    "ENTRYPOINT": Cutter.cut_command,
    "ENV": Cutter.cut_env,
    "EXPOSE": Cutter.cut_words,
    "FROM": Cutter.cut_from,
    "HEALTHCHECK": Cutter.cut_health,
    "LABEL": Cutter.cut_label,
    "MAINTAINER": Cutter.cut_text,
    "ONBUILD": Cutter.cut_text,
    "RUN": Cutter.cut_command,
    "SHELL": Cutter.cut_command,
    "STOPSIGNAL": Cutter.cut_text,
    "USER": Cutter.cut_text,
    "VOLUME": Cutter.cut_list,
    "WORKDIR": Cutter.cut_text,
}
