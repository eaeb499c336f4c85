"""Typed COPY and ADD: sources, inline files, destination."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_zlayer.dockerfile.instructions import Add, Copy
from pytest_zlayer.dockerfile.parser.flags import InstructionError, read_flags
from pytest_zlayer.dockerfile.parser.heredocs import HeredocWord, parse_heredoc_word
from pytest_zlayer.dockerfile.parser.parts import Parts
from pytest_zlayer.dockerfile.source import Word
from pytest_zlayer.dockerfile.written import Heredoc


def build_copy(parts: Parts) -> Copy:
    """COPY with its flags."""
    flags = read_flags("COPY", parts.flags)
    return Copy(**parts.common(), **_paths(parts, "COPY"), **flags.fields_of(Copy))


def build_add(parts: Parts) -> Add:
    """ADD with its flags."""
    flags = read_flags("ADD", parts.flags)
    return Add(**parts.common(), **_paths(parts, "ADD"), **flags.fields_of(Add))


def _paths(parts: Parts, keyword: str) -> dict[str, Any]:
    """Sources, files and destination; words in JSON may announce here-documents as well."""
    *sources, destination = parts.words
    if "<<" not in parts.line.text and not parts.json:
        return {"sources": tuple(sources), "destination": destination}
    if parse_heredoc_word(destination.value) is not None:
        message = f"{keyword} cannot accept a heredoc as a destination"
        raise InstructionError(message, destination.span)
    bodies = {one.name: one for one in parts.heredocs}
    paths: list[Word] = []
    files: list[Heredoc] = []
    for source in sources:
        announced = parse_heredoc_word(source.value)
        if announced is None:
            paths.append(source)
        else:
            files.append(_file(announced, bodies.get(announced.name), source))
    return {"sources": tuple(paths), "destination": destination, "files": tuple(files)}


def _file(announced: HeredocWord, body: Heredoc | None, word: Word) -> Heredoc:
    """The inline file of one source word; a name used twice gives the last body to both."""
    file = Heredoc(announced.name, "", announced.expand, announced.chomp, announced.fd, word.span)
    return file if body is None else replace(file, content=body.content)
