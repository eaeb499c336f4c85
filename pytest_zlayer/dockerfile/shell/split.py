"""Splitting a line into shell words the way here-documents are looked for."""

from __future__ import annotations

import re

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.spaces import SPACES
from pytest_zlayer.lazy import late_pattern

_SPACE = f"[{re.escape(SPACES)}]"
_ORDINARY = f"[^'\"$<\\\\{re.escape(SPACES)}]"
_PLAIN = late_pattern(f"[^'\"$<\\\\/}}{re.escape(SPACES)}]+")
_PLAIN_WORDS = late_pattern(f"(?:{_ORDINARY}*{_SPACE})+")
_PLAIN_IN_QUOTES = late_pattern(r'[^"$\\]+')
_SPACE_RUN = late_pattern(f"{_SPACE}+")
_SPECIAL = frozenset("@*#?-$!")
_ODD_QUOTE = "unexpected end of statement while looking for matching {}"


class ShellSyntaxError(Exception):
    """The text is not a sequence of shell words."""


@dataclass(frozen=True, slots=True)
class ShellWord:
    """A word and where it stands in the text."""

    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """Something opened: the text itself (no ``stop``), ``${…``, or a double quote.

    ``then`` ends a second part that follows the first (``${name/pattern/replacement}``).
    """

    stop: str
    raw_escapes: bool
    quoted: bool = False
    then: str = ""


class _Splitter:
    """One pass over a text; nesting is kept on a stack of its own, however deep it goes.

    No variable is set: substitutions are recognized and left standing.
    """

    def __init__(self, text: str, *, raw_quotes: bool, raw_escapes: bool) -> None:
        self._text = text
        self._at = 0
        self._raw_quotes = raw_quotes
        self._frames = [_Frame("", raw_escapes)]
        self._opened_at = 0
        self._inner: list[str] = []
        self._words: list[ShellWord] = []
        self._word: list[str] = []
        self._word_start = 0

    def split(self, *, only_special: bool) -> list[ShellWord]:
        text = self._text
        while self._at < len(text):
            if only_special and not self._word and len(self._frames) == 1:
                plain = _PLAIN_WORDS.match(text, self._at)
                if plain is not None:
                    self._at = plain.end()
                    continue
            self._step(text[self._at])
        if len(self._frames) > 1:
            raise ShellSyntaxError(self._unfinished())
        self._end_word(len(text))
        return self._words

    def _unfinished(self) -> str:
        top = self._frames[-1]
        if top.quoted:
            return _ODD_QUOTE.format("double-quote")
        return f"syntax error: missing '{top.stop}'" + (" in ${}" if top.stop == "/" else "")

    def _step(self, char: str) -> None:
        top = self._frames[-1]
        if top.stop and char == top.stop:
            self._at += 1
            self._close(top)
        elif char == "$":
            self._dollar()
        elif top.quoted:
            self._quoted(top, char)
        elif char == "'":
            self._single()
        elif char == '"':
            self._open(_Frame('"', top.raw_escapes, quoted=True), self._quote('"'), self._at)
            self._at += 1
        elif char == "<":
            self._less()
        elif char == "\\":
            self._escape(top)
        elif char in SPACES:
            self._space(char)
        else:
            self._plain(_PLAIN)

    def _quoted(self, top: _Frame, char: str) -> None:
        if char != "\\":
            self._plain(_PLAIN_IN_QUOTES)
            return
        following = self._text[self._at + 1 : self._at + 2]
        special = bool(following) and following in '"$\\'
        kept = "\\" if top.raw_escapes else ""
        # Only these three can be escaped; before anything else the backslash stands for itself.
        if following:
            kept += following if special else "\\"
        self._at += 2 if special else 1
        self._inner.append(kept)

    def _quote(self, char: str) -> str:
        return char if self._raw_quotes else ""

    def _single(self) -> None:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise ShellSyntaxError(_ODD_QUOTE.format("single-quote"))
        quote = self._quote("'")
        start, self._at = self._at, end + 1
        self._give(quote + self._text[start + 1 : end] + quote, start)

    def _escape(self, top: _Frame) -> None:
        start = self._at
        self._at += 2
        self._give(self._text[start if top.raw_escapes else start + 1 : start + 2], start)

    def _less(self) -> None:
        start = self._at
        self._at += 1
        if self._text.startswith("<", self._at):
            self._at += 1
            while self._text[self._at : self._at + 1] in (" ", "\t"):
                self._at += 1
        self._give(self._text[start : self._at], start)

    def _space(self, char: str) -> None:
        if len(self._frames) == 1:
            self._end_word(self._at)
        else:
            self._inner.append(char)
        self._at += 1

    def _plain(self, pattern: re.Pattern[str]) -> None:
        run = pattern.match(self._text, self._at)
        start, self._at = self._at, run.end() if run else self._at + 1
        self._give(self._text[start : self._at], start)

    def _give(self, piece: str, start: int) -> None:
        """Add finished text to what is open, or to the current word."""
        if len(self._frames) > 1:
            self._inner.append(piece)
            return
        if not self._word:
            self._word_start = start
        if piece:
            self._word.append(piece)

    def _give_variable(self, piece: str, start: int) -> None:
        """Add what stands for a variable; outside of quotes white space in it separates words."""
        if len(self._frames) > 1:
            self._inner.append(piece)
            return
        for index, part in enumerate(_SPACE_RUN.split(piece)):
            if index:
                self._end_word(self._at)
            if part:
                self._give(part, start)

    def _end_word(self, end: int) -> None:
        if self._word:
            self._words.append(ShellWord("".join(self._word), self._word_start, end))
            self._word = []

    def _dollar(self) -> None:
        start = self._at
        self._at += 1
        if not self._text.startswith("{", self._at):
            self._give_variable("$" + self._name(), start)
            return
        self._at += 1
        following = self._text[self._at : self._at + 1]
        if not following:
            raise ShellSyntaxError("syntax error: missing '}'")
        if following in "{}:":
            raise ShellSyntaxError("syntax error: bad substitution")
        self._modifier(self._name(), start)

    def _modifier(self, name: str, start: int) -> None:
        modifier = self._text[self._at : self._at + 1]
        self._at += 1
        if modifier == "}":
            self._give_variable("${" + name + "}", start)
        elif modifier == "/":
            self._at += self._text.startswith("/", self._at)
            self._open_word(_Frame("/", raw_escapes=True, then="}"), "${" + name + "/", start)
        elif modifier == ":":
            operator = self._text[self._at : self._at + 1]
            self._at += 1
            if operator in ("#", "%"):
                raise _unsupported(modifier + operator)
            self._open_word(_Frame("}", raw_escapes=False), "${" + name + ":" + operator, start)
        elif modifier in ("+", "-", "?", "#", "%"):
            self._open_word(_Frame("}", modifier in ("#", "%")), "${" + name + modifier, start)
        else:
            raise _unsupported(modifier)

    def _open_word(self, frame: _Frame, head: str, start: int) -> None:
        # BuildKit keeps the word in progress in the same buffer: it forgets what came before.
        self._word = []
        self._open(frame, head, start)

    def _open(self, frame: _Frame, head: str, start: int) -> None:
        if len(self._frames) == 1:
            self._opened_at = start
        self._frames.append(frame)
        self._inner.append(head)

    def _close(self, top: _Frame) -> None:
        self._frames.pop()
        if top.then:
            self._frames.append(_Frame(top.then, raw_escapes=True))
            self._inner.append("/")
            return
        self._inner.append(self._quote('"') if top.quoted else "}")
        if len(self._frames) == 1:
            whole = "".join(self._inner)
            self._inner = []
            (self._give if top.quoted else self._give_variable)(whole, self._opened_at)

    def _name(self) -> str:
        text, start = self._text, self._at
        first = text[start : start + 1]
        if first in _SPECIAL:
            self._at += 1
            return first
        digits = first.isdecimal()
        while self._at < len(text) and _in_name(text[self._at], digits=digits):
            self._at += 1
        return text[start : self._at]


def _in_name(char: str, *, digits: bool) -> bool:
    return char.isdecimal() or (not digits and (char.isalpha() or char == "_"))


def _unsupported(modifier: str) -> ShellSyntaxError:
    return ShellSyntaxError(f"unsupported modifier ({modifier or chr(0xFFFD)}) in substitution")


def split_shell_words(
    text: str, *, raw_quotes: bool, raw_escapes: bool, only_special: bool = False
) -> list[ShellWord]:
    """The shell words of ``text``; with ``raw_…`` quotes or escapes stay in the words.

    With ``only_special`` words may be left out in which no character has a meaning.

    Raises:
        ShellSyntaxError: an unclosed quote or a malformed ``${…}``.
    """
    splitter = _Splitter(text, raw_quotes=raw_quotes, raw_escapes=raw_escapes)
    return splitter.split(only_special=only_special)
