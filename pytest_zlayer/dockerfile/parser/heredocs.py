"""Finding the here-documents that a logical line announces."""

from __future__ import annotations

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.shell.split import ShellSyntaxError, ShellWord, split_shell_words
from pytest_zlayer.lazy import late_pattern

_HEREDOC = late_pattern(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)\Z")
_MAX_DESCRIPTOR = 2**64 - 1


@dataclass(frozen=True, slots=True)
class HeredocWord:
    """A word such as ``3<<-"EOF"``: what it announces, and where it stands in its line."""

    name: str
    expand: bool
    chomp: bool
    fd: int
    start: int = 0
    end: int = 0


def heredocs_of(line: str) -> list[HeredocWord]:
    """The here-documents a line announces, in order; none when it is no shell text.

    Raises:
        ShellSyntaxError: a name that cannot be unquoted.
    """
    try:
        words = split_shell_words(line, raw_quotes=True, raw_escapes=True, only_special=True)
    except ShellSyntaxError:
        return []
    found = (_heredoc(word) for word in words if "<<" in word.value)
    return [one for one in found if one is not None]


def parse_heredoc_word(text: str) -> HeredocWord | None:
    """``text`` as a here-document word, or ``None`` when it is something else."""
    try:
        return _heredoc(ShellWord(text, 0, len(text)))
    except ShellSyntaxError:
        return None


def _heredoc(word: ShellWord) -> HeredocWord | None:
    match = _HEREDOC.match(word.value)
    if match is None or not match[3]:
        return None
    digits, dash, rest = match.groups()
    plain = _words(rest, raw_quotes=False)
    if len(plain) != 1:
        return None
    quoted = _words(rest, raw_quotes=True)
    if len(quoted) != 1:
        raise ShellSyntaxError(f"internal lexing of heredoc produced inconsistent results: {rest}")
    descriptor = min(int(digits[-25:] or "0"), _MAX_DESCRIPTOR)
    expand = _quotes(plain[0]) == _quotes(quoted[0])
    return HeredocWord(plain[0], expand, dash == "-", descriptor, word.start, word.end)


def _words(text: str, *, raw_quotes: bool) -> list[str]:
    try:
        words = split_shell_words(text, raw_quotes=raw_quotes, raw_escapes=False)
    except ShellSyntaxError as error:
        raise ShellSyntaxError(f'failed to process "{text}": {error}') from error
    return [word.value for word in words]


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')
