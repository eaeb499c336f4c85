r"""Go's regular expressions (RE2 syntax) as Python's.

Where both write the same and mean something else, Go's meaning counts: classes such as ``\d``
know ASCII only, ``$`` is the very end of the text, a flag such as ``(?i)`` holds for the rest of
its group.
What RE2 does not have (backreferences, looking around) is refused, as Go refuses it.
Source: the documentation of Go's package regexp/syntax.
"""

from __future__ import annotations

import re
from dataclasses import field

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f", "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z", "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_MOST_REPEATED = 1000
_GROUP = late_pattern(r"\(\?(?:P?<(\w+)>|([imsU]*(?:-[imsU]+)?)([:)]))")
_REPEATED = late_pattern(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")


def compile_go(pattern: str) -> re.Pattern[str]:
    """The expression, to be searched for.

    Raises:
        ValueError: Go would not take it, or Python has nothing that means the same.
    """
    translated = _Translator(pattern).translate()
    try:
        return re.compile(translated, re.ASCII)
    except (re.error, OverflowError) as error:
        raise ValueError(str(error)) from error


@dataclass(slots=True)
class _Open:
    """A group that is open: flags that hold in it, and groups of flags to be closed with it."""

    flags: frozenset[str]
    opened: list[str] = field(default_factory=list)


class _Translator:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._groups = [_Open(frozenset())]
        self._out: list[str] = []

    def translate(self) -> str:
        while self._at < len(self._pattern):
            self._one()
        if len(self._groups) > 1:
            raise ValueError("missing closing )")
        self._out.append(")" * len(self._groups[-1].opened))
        return "".join(self._out)

    def _one(self) -> None:
        char = self._pattern[self._at]
        match char:
            case "\\":
                self._out.append(self._escape(inside=False))
            case "[":
                self._out.append(self._set())
            case "(":
                self._group()
            case ")":
                self._close()
            case "|":
                opened = self._groups[-1].opened
                self._put(")" * len(opened) + "|" + "".join(opened))
            case "$":
                self._put("$" if "m" in self._groups[-1].flags else r"\Z")
            case "*" | "+" | "?" | "{":
                self._repetition()
            case _:
                self._put(char)

    def _put(self, text: str, length: int = 1) -> None:
        self._out.append(text)
        self._at += length

    def _repetition(self) -> None:
        found = _REPEATED.match(self._pattern, self._at)
        if found is None:  # a brace that repeats nothing stands for itself
            self._put(r"\{")
            return
        text = found[0]
        if any(int(one) > _MOST_REPEATED for one in re.findall(r"\d+", text)):
            raise ValueError(f"invalid repeat count: {text}")
        following = self._pattern[self._at + len(text) : self._at + len(text) + 1]
        if following in ("*", "+", "?") and following:
            raise ValueError(f"invalid nested repetition operator: {text}{following}")
        self._put(text, len(text))

    def _group(self) -> None:
        if not self._pattern.startswith("(?", self._at):
            self._groups.append(_Open(self._groups[-1].flags))
            self._put("(")
            return
        found = _GROUP.match(self._pattern, self._at)
        if found is None:
            shown = self._pattern[self._at : self._at + 4]
            raise ValueError(f"invalid or unsupported Perl syntax: {shown}")
        name, flags, end = found.groups()
        if name is not None:
            self._groups.append(_Open(self._groups[-1].flags))
            self._put(f"(?P<{name}>", len(found[0]))
            return
        if "U" in flags:
            raise ValueError("the flag U (ungreedy) is not supported")
        self._at += len(found[0])
        self._flags(flags, alone=end == ")")

    def _flags(self, text: str, *, alone: bool) -> None:
        on, _, off = text.partition("-")
        flags = (self._groups[-1].flags | set(on)) - set(off)
        opening = f"(?{text}:"
        if alone:
            group = self._groups[-1]
            group.flags = flags
            if text:
                group.opened.append(opening)
                self._out.append(opening)
            return
        self._groups.append(_Open(flags))
        self._out.append(opening)

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise ValueError("unexpected )")
        self._put(")" * (len(self._groups.pop().opened) + 1))

    def _set(self) -> str:
        """A set in brackets."""
        self._at += 1
        out = "["
        if self._pattern.startswith("^", self._at):
            out += "^"
            self._at += 1
        first = True
        while first or not self._pattern.startswith("]", self._at):
            if self._at >= len(self._pattern):
                raise ValueError("missing closing ]")
            out += self._member()
            first = False
        self._at += 1
        return f"{out}]"

    def _member(self) -> str:
        posix = re.compile(r"\[:(\^?)(\w+):\]").match(self._pattern, self._at)
        if posix is not None:
            if posix[1] or posix[2] not in _POSIX:
                raise ValueError(f"invalid character class range: {posix[0]}")
            self._at += len(posix[0])
            return _POSIX[posix[2]]
        char = self._pattern[self._at]
        if char == "\\":
            return self._escape(inside=True)
        self._at += 1
        return f"\\{char}" if char in "[]&~|" else char

    def _escape(self, *, inside: bool) -> str:
        if self._at + 1 >= len(self._pattern):
            raise ValueError("trailing backslash at end of expression")
        char = self._pattern[self._at + 1]
        self._at += 2
        match char:
            case "z" if not inside:
                return r"\Z"
            case "Q" if not inside:
                return self._quoted()
            case "p" | "P":
                raise ValueError(f"Unicode classes such as \\{char}L are not supported here")
            case "x":
                return self._code()
            case "0":
                digits = re.compile(r"[0-7]{0,2}").match(self._pattern, self._at)
                self._at += len(digits[0]) if digits else 0
                return re.escape(chr(int("0" + (digits[0] if digits else ""), 8)))
        if char.isalnum() and char not in "AbBdDsSwWafnrtv":
            raise ValueError(f"invalid escape sequence: \\{char}")
        return f"\\{char}" if char.isascii() else re.escape(char)

    def _quoted(self) -> str:
        end = self._pattern.find(r"\E", self._at)
        text = self._pattern[self._at :] if end < 0 else self._pattern[self._at : end]
        self._at += len(text) + (2 if end >= 0 else 0)
        return re.escape(text)

    def _code(self) -> str:
        found = re.compile(r"\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2})").match(self._pattern, self._at)
        if found is None:
            raise ValueError(r"invalid escape sequence: \x")
        self._at += len(found[0])
        return re.escape(chr(int(found[1] or found[2], 16)))
