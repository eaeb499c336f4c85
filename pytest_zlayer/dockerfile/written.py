"""An instruction as it is written: keyword, flags, words, here-documents; and back to text."""

from __future__ import annotations

import json
from dataclasses import field
from typing import Any, ClassVar

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.source import Span, Word

_BREAKER = "\f"
"""White space at the end of a line that keeps an escape character before it from continuing it."""

_WIDE = "\v"
"""White space that separates words for a Dockerfile, but neither in JSON nor after ``<<``."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One ``--name`` or ``--name=value`` with shell-like quoting already removed.

    ``raw`` is the flag as it was written, quotes and escapes included.
    """

    name: str
    value: str | None
    span: Span
    raw: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"--{self.name}" if self.value is None else f"--{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: its body follows the logical line that names it.

    ``content`` is the raw body; with ``chomp`` (``<<-``) leading tabs are to be stripped when it
    is used (``text`` does that). ``expand`` is false when the name was quoted.
    """

    name: str
    content: str
    expand: bool
    chomp: bool
    fd: int
    span: Span

    @property
    def text(self) -> str:
        """The body as it is used: without leading tabs when ``chomp`` is set."""
        if not self.chomp:
            return self.content
        return "\n".join(line.lstrip("\t") for line in self.content.split("\n"))

    def to_dict(self) -> dict[str, Any]:
        """The here-document made of JSON's types."""
        return {
            "name": self.name,
            "content": self.content,
            "expand": self.expand,
            "chomp": self.chomp,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What all instructions share.

    Attributes:
        span: from the first character of the keyword to the end of the last physical line
            consumed (heredoc bodies and terminators included).
        source: the exact slice of the file that ``span`` covers.
        keyword: the keyword as it was written (``name`` gives it upper-case).
        flags: all flags in order, as written.
        args: the arguments as BuildKit's parser splits them (ENV/LABEL alternate name, value).
        json: whether the arguments were given in JSON form.
        heredocs: the here-documents of this instruction in order.
        comments: the comment lines attached to this instruction (without ``#`` and surrounding
            white space), used by build checks.
        empty_continuation: a blank line stood inside a continuation (NoEmptyContinuation).
    """

    name: ClassVar[str] = ""

    span: Span
    source: str = field(repr=False)
    keyword: str
    flags: tuple[Flag, ...] = ()
    args: tuple[Word, ...] = ()
    json: bool = False
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()
    empty_continuation: bool = False

    def __str__(self) -> str:
        """The instruction in canonical form, on one line (here-documents follow).

        Parsed with the escape character of its file it gives the same instruction again, except
        for the keyword's case and for comments and positions.
        """
        return _canonical(self)

    def to_dict(self) -> dict[str, Any]:
        """The instruction as the parser split it, made of JSON's types."""
        return {
            "name": self.name or self.keyword.upper(),
            "line": self.span.line,
            "end_line": self.span.end_line,
            "flags": [str(flag) for flag in self.flags],
            "args": [word.value for word in self.args],
            "json": self.json,
            "heredocs": [one.to_dict() for one in self.heredocs],
        }


def _canonical(instruction: Instruction) -> str:
    """One logical line with the keyword in upper case; the bodies of here-documents follow."""
    name = instruction.name or instruction.keyword
    # ONBUILD keeps what follows it as text: all of it is the one argument.
    trigger: str | None = getattr(instruction, "text", None)
    arguments = _arguments(instruction) if trigger is None else trigger.split("\n", 1)[0]
    flags = [flag.raw or _flag(flag) for flag in instruction.flags]
    # A first argument that looks like a flag was behind the word that ends flags.
    guard = ["--"] if arguments.startswith("--") and trigger is None else []
    line = " ".join([name, *flags, *guard, *([arguments] if arguments else [])])
    return _closed(line) + "".join(f"\n{one.content}{one.name}" for one in instruction.heredocs)


def _closed(line: str) -> str:
    """``line`` so that it does not go on in the next one."""
    end = line[-2:]
    continues = end[-1:] in ("\\", "`") and end != end[-1:] * 2
    return line + _BREAKER if continues else line


def _flag(flag: Flag) -> str:
    """A flag that was made and not read: quoted when white space or quotes ask for it."""
    text = str(flag)
    if not any(char.isspace() or char in "'\"" for char in text):
        return text
    return f"--{flag.name}='{flag.value}'" if "'" not in text else f'--{flag.name}="{flag.value}"'


def _arguments(instruction: Instruction) -> str:
    name = (instruction.name or instruction.keyword).upper()
    words = [word.value for word in instruction.args]
    if name in ("ENV", "LABEL"):
        return _pairs(instruction, words)
    if not instruction.json:
        return _separator(instruction, words).join(words)
    if name == "HEALTHCHECK":
        return f"{words[0]} {_array(words[1:])}"
    return _array(words)


def _array(words: list[str]) -> str:
    return json.dumps(words, ensure_ascii=False)


def _pairs(instruction: Instruction, words: list[str]) -> str:
    if getattr(instruction, "legacy", False):
        return f"{words[0]} {words[1]}"
    pairs = zip(words[::2], words[1::2], strict=True)
    return " ".join(f"{name}={value}" for name, value in pairs)


def _separator(instruction: Instruction, words: list[str]) -> str:
    if len(words) < 2:
        return " "
    joined = " ".join(words)
    becomes_json = joined.startswith("[") and joined.endswith("]")
    becomes_heredoc = "<<" in joined and not instruction.heredocs
    return _WIDE if becomes_json or becomes_heredoc else " "
