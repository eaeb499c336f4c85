"""Expanding the words of one instruction, with errors and unknown variables gathered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.declared_flags import flags_of
from pytest_zlayer.dockerfile.errors import Diagnostic
from pytest_zlayer.dockerfile.instructions import (
    Add,
    AnyInstruction,
    Copy,
    Env,
    Expose,
    Label,
    Pair,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from pytest_zlayer.dockerfile.shell.expansion import ExpansionError, expand_heredoc, expand_words
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.stages.scope import Lookups, Reading, part_of, read_word
from pytest_zlayer.dockerfile.written import Heredoc


@dataclass(slots=True)
class WordReader:
    """Expands words with the variables of a stage; one reader serves one instruction.

    Attributes:
        variables: what the words can use.
        escape: the Dockerfile's escape character.
        problems: what went wrong so far.
        declared: names an ARG has declared, with or without a value.
        unknown: other names that were looked up in vain, with the word that holds them (build
            checks).
    """

    variables: Mapping[str, str]
    escape: str
    declared: frozenset[str] = frozenset()
    problems: list[Diagnostic] = field(default_factory=list)
    unknown: list[tuple[str, Span]] = field(default_factory=list)

    def refuse(self, message: str, span: Span, hint: str | None = None) -> None:
        """Note an error."""
        self.problems.append(Diagnostic(message, span, hint))

    def text(self, text: str, span: Span) -> str:
        """``text`` expanded.

        Raises:
            ValueError: BuildKit's message.
        """
        reading = self._read(text, span)
        if reading.error is not None:
            raise ValueError(reading.error)
        return reading.value

    def word(self, word: Word) -> Word:
        """``word`` with its value expanded; an error is noted and the value becomes empty."""
        reading = self._read(word.value, word.span)
        if reading.error is not None:
            self.refuse(reading.error, part_of(word, *reading.fault))
        return Word(reading.value, word.span)

    def _read(self, text: str, span: Span) -> Reading:
        reading = read_word(text, self.variables, self.escape)
        self._note(reading.missing, span)
        return reading

    def _note(self, missing: Iterable[str], span: Span) -> None:
        self.unknown.extend((name, span) for name in missing if name not in self.declared)

    def optional(self, word: Word | None) -> Word | None:
        """As ``word``; ``None`` stays, and what expands to nothing counts as not given."""
        if word is None:
            return None
        found = self.word(word)
        return found if found.value else None

    def words(self, words: Iterable[Word]) -> tuple[Word, ...]:
        """Each word expanded."""
        return tuple(self.word(word) for word in words)

    def split(self, words: Iterable[Word]) -> tuple[Word, ...]:
        """Each word expanded and split again at white space (EXPOSE); unknown names are fine."""
        return tuple(Word(part, word.span) for word in words for part in self._parts(word))

    def _parts(self, word: Word) -> tuple[str, ...]:
        try:
            return expand_words(word.value, self.variables, self.escape)
        except ExpansionError as problem:
            self.refuse(problem.message, part_of(word, problem.start, problem.end))
            return ()

    def pairs(self, pairs: Iterable[Pair]) -> tuple[Pair, ...]:
        """Both sides of each pair expanded; all see the variables from before the instruction."""
        return tuple(Pair(self.word(pair.name), self.word(pair.value)) for pair in pairs)

    def heredocs(self, heredocs: Iterable[Heredoc]) -> tuple[Heredoc, ...]:
        """Here-documents with their final text as content."""
        return tuple(self._heredoc(one) for one in heredocs)

    def _heredoc(self, heredoc: Heredoc) -> Heredoc:
        text = heredoc.text
        if heredoc.expand:
            lookups = Lookups(self.variables)
            try:
                text = expand_heredoc(text, lookups)
            except ExpansionError as problem:
                self.refuse(problem.message, heredoc.span)
            self._note(lookups.missing, heredoc.span)
        return replace(heredoc, content=text, expand=False, chomp=False)


def expand_instruction(instruction: AnyInstruction, reader: WordReader) -> AnyInstruction:
    """The instruction with its words expanded, for those whose words are (not ARG, not RUN)."""
    match instruction:
        case Env() | Label():
            return replace(instruction, pairs=reader.pairs(instruction.pairs))
        case Copy() | Add():
            return _expand_copy(instruction, reader)
        case Workdir():
            return replace(instruction, path=reader.word(instruction.path))
        case User():
            return replace(instruction, user=reader.word(instruction.user))
        case Volume():
            return replace(instruction, paths=reader.words(instruction.paths))
        case StopSignal():
            return replace(instruction, signal=reader.word(instruction.signal))
        case Expose():
            return replace(instruction, ports=reader.split(instruction.ports))
        case _:
            return instruction


def _expand_copy(instruction: Copy | Add, reader: WordReader) -> Copy | Add:
    flags: dict[str, Any] = {
        name: reader.optional(getattr(instruction, name))
        for name, declaration in flags_of(type(instruction)).items()
        if declaration.expand
    }
    return replace(
        instruction,
        **flags,
        sources=reader.words(instruction.sources),
        destination=reader.word(instruction.destination),
        files=reader.heredocs(instruction.files),
    )
