"""Physical lines become logical lines: directives, comments, continuations."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from pytest_zlayer.dockerfile.errors import Diagnostic
from pytest_zlayer.dockerfile.parser.directives import NAMES, directive_value
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.spaces import SPACES


class LogicalLine:
    """One instruction's text with its continuations joined, and where each piece stands.

    ``starts``, ``numbers``, ``columns`` and ``offsets`` are parallel: the offset in ``text`` where
    a physical line begins, its number, and the column and the offset in the file of its first
    character that is part of ``text``.
    """

    __slots__ = (
        "columns", "comments", "empty_continuation", "end", "first", "last", "last_column",
        "numbers", "offsets", "starts", "text",
    )  # fmt: skip

    text: str
    first: int
    last: int
    last_column: int
    end: int
    starts: list[int]
    numbers: list[int]
    columns: list[int]
    offsets: list[int]
    comments: tuple[str, ...]
    empty_continuation: bool

    def span(self, start: int, end: int) -> Span:
        """Where ``text[start:end]`` stands in the file."""
        if len(self.starts) == 1:
            number, column = self.numbers[0], self.columns[0]
            return Span(number, column + start, number, column + end)
        at = bisect_right(self.starts, start) - 1
        line, column = self.numbers[at], self.columns[at] + start - self.starts[at]
        if end <= start:
            return Span(line, column, line, column)
        at = bisect_right(self.starts, end - 1) - 1
        return Span(line, column, self.numbers[at], self.columns[at] + end - self.starts[at])

    def file_offset(self, at: int) -> int:
        """Where ``text[at]`` stands in the file, as an offset."""
        index = bisect_right(self.starts, at) - 1
        return self.offsets[index] + at - self.starts[index]

    @property
    def whole(self) -> Span:
        """From the first character to the end of the last physical line consumed."""
        return Span(self.first, self.columns[0], self.last, self.last_column)


class LineReader:
    """Walks over the physical lines of a file and hands out logical lines.

    Between two logical lines the caller may take the bodies of here-documents.
    """

    def __init__(self, text: str, directive: re.Pattern[str], *, escape: str = "\\") -> None:
        self._lines = text.split("\n")
        if not self._lines[-1]:
            self._lines.pop()
        self._index = 0
        self._offset = 0
        self._directive = directive
        self.text = text
        self.escape = escape
        self.directives: dict[str, str] = {}
        self.errors: list[Diagnostic] = []

    @property
    def number(self) -> int:
        """The number of the physical line taken last."""
        return self._index

    def logical_lines(self) -> Iterator[LogicalLine]:
        """All instructions in order, without blank lines and comments."""
        self._read_directives()
        comments: list[str] = []
        while self._index < len(self._lines):
            offset, raw = self._offset, self._take()
            line = raw.rstrip("\r").lstrip(SPACES)
            if line[:1] == "#":
                _attach(comments, raw)
            elif line:
                column = len(raw) - len(raw.lstrip(SPACES))
                yield self._logical(line, offset + column, column + 1, tuple(comments))
                comments.clear()

    def read_body(self, name: str, *, chomp: bool) -> str | None:
        """The body of a here-document up to the line ``name``; ``None`` when it never comes."""
        start = self._offset
        while self._index < len(self._lines):
            end, line = self._offset, self._take().rstrip("\r")
            if (line.lstrip("\t") if chomp else line) == name:
                return self.text[start:end]
        return None

    def indented(self, name: str, after: int) -> int | None:
        """The number of the first line below line ``after`` that is ``name``, indented."""
        found = (at for at in range(after, len(self._lines)) if self._lines[at].strip() == name)
        return next((at + 1 for at in found if self._lines[at][:1] in ("\t", " ")), None)

    def extend(self, line: LogicalLine) -> None:
        """Let ``line`` reach to the physical line taken last (after its here-documents)."""
        last = self._lines[self._index - 1].rstrip("\r")
        line.last, line.last_column = self._index, len(last) + 1
        line.end = self._offset - 1 - len(self._lines[self._index - 1]) + len(last)

    def _take(self) -> str:
        raw = self._lines[self._index]
        self._index += 1
        self._offset += len(raw) + 1
        return raw

    def _logical(
        self, text: str, offset: int, column: int, comments: tuple[str, ...]
    ) -> LogicalLine:
        line = LogicalLine()
        line.first, line.comments = self._index, comments
        line.starts, line.numbers = [0], [self._index]
        line.columns, line.offsets = [column], [offset]
        line.empty_continuation = False
        body = text.rstrip(" \t")
        if self._continues(body):
            self._join(line, body[:-1])
        else:
            line.text = text
        self.extend(line)
        return line

    def _continues(self, body: str) -> bool:
        """Whether a line (without the blanks at its end) goes on in the next one."""
        return body[-1:] == self.escape and body[-2:-1] != self.escape

    def _join(self, line: LogicalLine, first: str) -> None:
        parts, length, going = [first], len(first), True
        while going and self._index < len(self._lines):
            offset, text = self._offset, self._take().rstrip("\r")
            content = text.lstrip(SPACES)
            if not content:
                line.empty_continuation = True
            elif content[0] != "#":
                body = text.rstrip(" \t")
                going = self._continues(body)
                line.starts.append(length)
                line.numbers.append(self._index)
                line.columns.append(1)
                line.offsets.append(offset)
                parts.append(body[:-1] if going else text)
                length += len(parts[-1])
        line.text = "".join(parts)

    def _read_directives(self) -> None:
        while self._index < len(self._lines):
            raw = self._lines[self._index].rstrip("\r")
            line = raw.lstrip(SPACES)
            found = self._directive.match(line)
            if found is None or found[1].lower() not in NAMES:
                return
            self._take()
            column = len(raw) - len(line) + 1
            self._set_directive(found[1].lower(), found, column)

    def _set_directive(self, name: str, found: re.Match[str], column: int) -> None:
        value = directive_value(found)
        if name in self.directives:
            message = f"only one {name} parser directive can be used"
            self._refuse(message, column + found.start(1), column + found.end(1))
            return
        self.directives[name] = value
        if name == "escape":
            if value in ("\\", "`"):
                self.escape = value
            else:
                message = f"invalid escape token '{value}' does not match ` or \\"
                self._refuse(message, column + found.start(2), column + found.end(2))

    def _refuse(self, message: str, start: int, end: int) -> None:
        span = Span(self._index, start, self._index, end)
        self.errors.append(Diagnostic(message, span, lines=(self._index, self._index)))


def _attach(comments: list[str], raw: str) -> None:
    """Keep a comment line; an empty one separates what stands above from what follows."""
    # BuildKit cuts the first character whatever it is: an indented comment keeps its ``#``.
    comment = raw[1:].strip(SPACES)
    if comment:
        comments.append(comment)
    else:
        comments.clear()
