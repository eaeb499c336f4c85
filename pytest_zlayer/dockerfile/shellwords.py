"""Splitting a line into shell words the way here-documents are looked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pytest_zlayer.dockerfile.spaces import SPACES

_PLAIN = re.compile(f"""[^'"$<{re.escape(SPACES)}/}}\\\\]+""")
_PLAIN_IN_QUOTES = re.compile(r'[^"$\\]+')
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


@dataclass(slots=True)
class _Frame:
    """Something opened and not yet closed: the text itself, ``${…`` or a double quote."""

    stop: str
    raw_escapes: bool
    head: str = ""
    pattern: str | None = None
    out: list[str] = field(default_factory=list)
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
        self._words: list[ShellWord] = []
        self._word: list[str] = []
        self._word_start = 0

    def split(self) -> list[ShellWord]:
        text = self._text
        while self._at < len(text):
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
        if top.quoted:
            self._step_quoted(top, char)
        elif top.stop and char == top.stop:
            self._at += 1
            self._close(top)
        elif char == "'":
            self._single()
        elif char == '"':
            self._at += 1
            self._frames.append(_Frame('"', top.raw_escapes, self._quote('"'), quoted=True))
        elif char == "$":
            self._dollar()
        elif char == "<":
            self._less()
        elif char == "\\":
            self._escape(top)
        elif char in SPACES:
            self._space(top, char)
        else:
            self._plain()

    def _step_quoted(self, top: _Frame, char: str) -> None:
        if char == '"':
            self._at += 1
            self._frames.pop()
            self._give(top.head + "".join(top.out) + self._quote('"'))
        elif char == "$":
            self._dollar()
        elif char == "\\":
            following = self._text[self._at + 1 : self._at + 2]
            special = following in ('"', "$", "\\") and following != ""
            top.out.append("\\" if top.raw_escapes else "")
            # Only these three can be escaped; before anything else the backslash stands for itself.
            if following:
                top.out.append(following if special else "\\")
            self._at += 2 if special else 1
        else:
            run = _PLAIN_IN_QUOTES.match(self._text, self._at)
            start, self._at = self._at, run.end() if run else self._at + 1
            top.out.append(self._text[start : self._at])

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

    def _space(self, top: _Frame, char: str) -> None:
        if len(self._frames) == 1:
            self._end_word(self._at)
        else:
            top.out.append(char)
        self._at += 1

    def _plain(self) -> None:
        run = _PLAIN.match(self._text, self._at)
        start, self._at = self._at, run.end() if run else self._at + 1
        self._give(self._text[start : self._at], start)

    def _give(self, piece: str, start: int | None = None) -> None:
        """Add finished text to what is open: the current word at the top, else the frame."""
        if len(self._frames) > 1:
            self._frames[-1].out.append(piece)
            return
        if not self._word:
            self._word_start = self._at - len(piece) if start is None else start
        if piece:
            self._word.append(piece)

    def _give_variable(self, piece: str, start: int) -> None:
        """Add what stands for a variable; outside of quotes white space in it separates words."""
        if len(self._frames) > 1:
            self._frames[-1].out.append(piece)
            return
        for char in piece:
            if char in SPACES:
                self._end_word(self._at)
            else:
                self._give(char, start)

    def _end_word(self, end: int) -> None:
        if self._word:
            self._words.append(ShellWord("".join(self._word), self._word_start, end))
            self._word = []

    def _dollar(self) -> None:
        start = self._at
        self._at += 1
        if not self._text.startswith("{", self._at):
            name = self._name()
            self._give_variable("$" + name, start)
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
            return
        if modifier == "/":
            if self._text.startswith("/", self._at):
                self._at += 1
            self._open(_Frame("/", True, "${" + name + "/", then="}"))
            return
        operator = modifier
        if modifier == ":":
            operator = self._text[self._at : self._at + 1]
            modifier += operator
            self._at += 1
        elif modifier not in tuple("+-?#%"):
            raise _unsupported(modifier)
        raw = operator in ("#", "%")
        if raw and len(modifier) > 1:
            raise _unsupported(modifier)
        self._open(_Frame("}", raw, "${" + name + modifier))

    def _open(self, frame: _Frame) -> None:
        # BuildKit keeps the word in progress in the same buffer: it forgets what came before.
        self._word = []
        self._frames.append(frame)

    def _close(self, top: _Frame) -> None:
        inner = "".join(top.out)
        self._frames.pop()
        if top.then:
            self._frames.append(_Frame(top.then, True, top.head + inner + "/"))
        else:
            self._give_variable(top.head + inner + "}", self._at)

    def _name(self) -> str:
        text, start = self._text, self._at
        first = text[start : start + 1]
        if first in _SPECIAL and first:
            self._at += 1
            return first
        digits = first.isdecimal()
        while self._at < len(text) and _in_name(text[self._at], digits):
            self._at += 1
        return text[start : self._at]


def _in_name(char: str, digits: bool) -> bool:
    return char.isdecimal() or (not digits and (char.isalpha() or char == "_"))


def _unsupported(modifier: str) -> ShellSyntaxError:
    return ShellSyntaxError(f"unsupported modifier ({modifier or chr(0xFFFD)}) in substitution")


def split_shell_words(text: str, *, raw_quotes: bool, raw_escapes: bool) -> list[ShellWord]:
    """The shell words of ``text``; with ``raw_…`` quotes or escapes stay in the words.

    Raises:
        ShellSyntaxError: an unclosed quote or a malformed ``${…}``.
    """
    return _Splitter(text, raw_quotes=raw_quotes, raw_escapes=raw_escapes).split()
