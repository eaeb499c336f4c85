"""Variables, quotes and escapes in the words of a Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.errors import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.shell import wildcard
from pytest_zlayer.dockerfile.shell.word import (
    Broken,
    Conditional,
    Part,
    Quoted,
    Replace,
    Text,
    Trim,
    Variable,
    parse_body,
    parse_word,
    unsupported,
)
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.lazy import late_pattern

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_BLANKS = late_pattern(f"[{_SPACE}]+")
# Tabs and blanks after `<<` belong to the word they stand in: it might name a here-document.
_HEREDOC_MARK = late_pattern(r"(<<[\t\r ]*)")
_SPECIAL = {"\\": re.compile(r"[\\'\"$]"), "`": re.compile(r"[`'\"$]")}
_BODY_SPECIAL = late_pattern(r"[\\$]")
_TOO_DEEP = "variables are nested too deeply"


class ExpansionError(ZlayerError):
    """A word that cannot be expanded.

    Attributes:
        start, end: the part of the word that is at fault, in characters from 0, end exclusive.
    """

    def __init__(self, message: str, *, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


def expand(word: str, env: Mapping[str, str], *, escape: str = "\\") -> str:
    r"""The word with variables replaced from ``env``, quotes removed and escapes resolved.

    Args:
        word: as it stands in the Dockerfile.
        env: the variables that are set.
        escape: the escape character, ``\`` or a backtick (parser directive ``escape``).

    Raises:
        DockerfileError: phase ``dispatch``; its text is the word, its wording BuildKit's.
    """
    try:
        return expand_word(word, env, escape)
    except ExpansionError as error:
        found = Diagnostic(error.message, _span(word, error.start, error.end))
        raise DockerfileError([found], phase="dispatch", text=word, filename=None) from error


def expand_word(word: str, env: Mapping[str, str], escape: str = "\\") -> str:
    """As :func:`expand`, but raises :class:`ExpansionError`, which knows the place in the word."""
    if not _SPECIAL[escape].search(word):
        return word
    return "".join(piece.text for piece in _expanded(word, env, escape))


def expand_words(word: str, env: Mapping[str, str], escape: str = "\\") -> tuple[str, ...]:
    """As :func:`expand_word`, then split at white space that nothing protects (EXPOSE)."""
    words = [""]
    for piece in _expanded(word, env, escape):
        first, *rest = _BLANKS.split(piece.text) if piece.splits else [piece.text]
        words[-1] += first
        words += rest
    return tuple(one for one in words if one)


def expand_heredoc(text: str, env: Mapping[str, str]) -> str:
    """The body of a here-document for COPY or ADD: quotes stay, every backslash goes.

    Raises:
        ExpansionError: as :func:`expand_word`.
    """
    if not _BODY_SPECIAL.search(text):
        return text
    try:
        return "".join(piece.text for piece in _Evaluation(env, len(text)).pieces(parse_body(text)))
    except _Failure as failure:
        raise _error(text, failure) from None
    except RecursionError:
        raise _error(text, _Failure(_TOO_DEEP, 0, len(text))) from None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of the result; ``splits`` when its white space separates words."""

    text: str
    splits: bool


class _Failure(Exception):
    """What is wrong and how far the text was read when it was noticed."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


def _expanded(word: str, env: Mapping[str, str], escape: str) -> list[_Piece]:
    try:
        return list(_Evaluation(env, len(word)).pieces(parse_word(word, escape)))
    except _Failure as failure:
        raise _error(word, failure) from None
    except RecursionError:
        raise _error(word, _Failure(_TOO_DEEP, 0, len(word))) from None


def _error(word: str, failure: _Failure) -> ExpansionError:
    message = f"failed to process {go_quote(word)}: {failure.message}"
    return ExpansionError(message, start=failure.start, end=failure.end)


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """One word being expanded: parts are met from left to right, as BuildKit meets them."""

    env: Mapping[str, str]
    length: int

    def pieces(self, parts: Iterable[Part]) -> Iterator[_Piece]:
        for part in parts:
            if isinstance(part, Text):
                yield from _text_pieces(part)
            else:
                yield _Piece(self.value(part, raw=False), not isinstance(part, Quoted))

    def text(self, parts: Iterable[Part], *, raw: bool) -> str:
        return "".join(self.value(part, raw=raw) for part in parts)

    def value(self, part: Part, *, raw: bool) -> str:
        match part:
            case Text():
                return part.raw if raw else part.text
            case Quoted():
                return self.text(part.parts, raw=raw)
            case Variable():
                return self.env.get(part.name, "")
            case Conditional():
                return self.conditional(part)
            case Trim():
                return self.trimmed(part)
            case Replace():
                return self.replaced(part)
            case Broken():
                raise self.failure(part)

    def conditional(self, part: Conditional) -> str:
        argument = self.text(part.argument, raw=False)
        value = self.env.get(part.name)
        empty_is_unset = part.operator.startswith(":")
        given = bool(value) if empty_is_unset else value is not None
        match part.operator[-1]:
            case "-":
                return (value or "") if given else argument
            case "+":
                return argument if given else ""
            case "?" if given:
                return value or ""
            case "?":
                problem = "unset" if value is None else "empty"
                message = f"{part.name}: {argument or f'is not allowed to be {problem}'}"
            case _:
                message = unsupported(part.operator)
        raise _Failure(message, part.start, part.end)

    def trimmed(self, part: Trim) -> str:
        pattern = self.text(part.argument, raw=True)
        value = self.env.get(part.name, "")
        # The pattern's first character says whether the operator is doubled, wherever it came from.
        longest = pattern.startswith(part.operator)
        trim = wildcard.trim_prefix if part.operator == "#" else wildcard.trim_suffix
        try:
            return trim(value, pattern[longest:], longest=longest)
        except ValueError as error:
            raise _Failure(str(error), part.start, part.end) from None

    def replaced(self, part: Replace) -> str:
        pattern = self.text(part.pattern, raw=True)
        argument = self.text(part.argument, raw=True)
        value = self.env.get(part.name, "")
        replace = wildcard.replace_every if part.operator == "//" else wildcard.replace_first
        try:
            return replace(value, pattern, argument)
        except ValueError as error:
            raise _Failure(str(error), part.start, part.end) from None

    def failure(self, part: Broken) -> _Failure:
        """The failure of a broken part: that of its inner parts if it was met before the end."""
        try:
            self.text(part.parts, raw=False)
        except _Failure as inner:
            if not part.covers or inner.end < self.length:
                return inner
        return _Failure(part.message, part.start, part.end)


def _text_pieces(part: Text) -> Iterator[_Piece]:
    if not part.plain:
        yield _Piece(part.text, splits=False)
        return
    for index, text in enumerate(_HEREDOC_MARK.split(part.text)):
        yield _Piece(text, splits=index % 2 == 0)


def _span(word: str, start: int, end: int) -> Span:
    return Span(*_position(word, start), *_position(word, max(end, start + 1)))


def _position(word: str, offset: int) -> tuple[int, int]:
    before = word[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
