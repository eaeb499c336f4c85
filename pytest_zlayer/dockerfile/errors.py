"""Errors of the Dockerfile language: what is wrong, where, and how it looks in the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.errors import ZlayerError

Phase = Literal["parse", "instruction", "graph", "dispatch"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong: BuildKit's wording, where it stands, and a hint if there is one.

    ``lines`` are the first and last physical line of the instruction it belongs to, as far as
    they were read when it was found; ``None`` when there is no instruction.
    """

    message: str
    span: Span
    hint: str | None = None
    lines: tuple[int, int] | None = None

    def render(self, text: str, filename: str | None) -> str:
        """``file:line:column: message``, then the physical line with the span underlined."""
        return self.render_in(text.split("\n"), filename)

    def render_in(self, lines: Sequence[str], filename: str | None) -> str:
        """``render`` for a text that is split into its lines already."""
        where = f"{filename or 'Dockerfile'}:{self.span.line}:{self.span.column}"
        shown = [f"{where}: {_sentence(self.message)}", *_excerpt(lines, self.span)]
        if self.hint:
            shown.append(f"hint: {_sentence(self.hint)}")
        return "\n".join(shown)


class DockerfileError(ZlayerError):
    """A Dockerfile that cannot be built; all errors found in the first failing phase.

    Attributes:
        phase: where BuildKit would have stopped: parse, instruction, graph or dispatch.
        diagnostics: at least one, in file order.
        filename: the name shown, or ``None``.
    """

    def __init__(
        self, diagnostics: Iterable[Diagnostic], *, phase: Phase, text: str, filename: str | None
    ) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda one: one.span))
        self.phase: Phase = phase
        self.filename = filename
        lines = text.split("\n")
        super().__init__("\n".join(one.render_in(lines, filename) for one in self.diagnostics))


def harmless(text: str) -> str:
    """The text with a mark in place of each character that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\t\n" else _MARK for one in text)


def excerpt_line(line: str) -> str:
    """A line of a file as an excerpt shows it: bounded, and without what a terminal would obey."""
    return _window(harmless(line.rstrip("\r")), 0, 1)[0]


_MARK = "\ufffd"
_WIDEST = 200
_BEFORE = 60
# Characters of a message that quotes what stands in a file: more than any of BuildKit's words need.
_LONGEST = 600


def _sentence(text: str) -> str:
    """A message or a hint as it is shown; of a very long one the beginning and the end."""
    half = _LONGEST // 2
    return harmless(text if len(text) <= _LONGEST else f"{text[:half]}…{text[-half:]}")


def _excerpt(lines: Sequence[str], span: Span) -> list[str]:
    """The line a span begins on and the mark beneath it; tabs are kept so that both line up."""
    if span.line > len(lines):
        return []
    line = harmless(lines[span.line - 1].rstrip("\r"))
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    line, start, end = _window(line, start, max(min(end, len(line)), start + 1))
    lead = "".join("\t" if char == "\t" else " " for char in line[:start])
    mark = "^" + "~" * (end - start - 1)
    number = str(span.line)
    return [f"{number:>5} | {line}", f"{'':>5} | {lead}{mark}"]


def _window(line: str, start: int, end: int) -> tuple[str, int, int]:
    """The part of a very long line that is worth showing, and the mark within it."""
    if len(line) <= _WIDEST:
        return line, start, end
    first = max(start - _BEFORE, 0)
    last = min(first + _WIDEST, len(line))
    before, after = "…" * (first > 0), "…" * (last < len(line))
    shift = len(before) - first
    return before + line[first:last] + after, start + shift, min(end, last) + shift
