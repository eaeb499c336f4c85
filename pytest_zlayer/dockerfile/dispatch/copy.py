"""COPY and ADD: checked sources, an absolute destination, inline files."""

from __future__ import annotations

from pytest_zlayer.dockerfile.declared_flags import flags_of, given_flags
from pytest_zlayer.dockerfile.dispatch.state import StageState, clean
from pytest_zlayer.dockerfile.dispatch.words import WordReader
from pytest_zlayer.dockerfile.instructions import Add, Copy
from pytest_zlayer.dockerfile.operations.kinds import (
    MAIN_CONTEXT,
    CopyOperation,
    InlineFile,
    SourceRef,
)
from pytest_zlayer.dockerfile.source import Word
from pytest_zlayer.dockerfile.stages.graph import StageGraph
from pytest_zlayer.dockerfile.values.remote_sources import (
    GitSource,
    check_digest,
    is_git,
    is_url,
    parse_git_source,
)


def copy_operation(
    graph: StageGraph, index: int, state: StageState, instruction: Copy, reader: WordReader
) -> CopyOperation:
    """The operation of an expanded COPY; mistakes are noted by ``reader``."""
    word = instruction.from_
    source = MAIN_CONTEXT
    if word is not None and word.value:
        source = graph.copy_source(index, word.value, span=word.span)
    for path in instruction.sources:
        _check_local(path, reader)
    return _operation(state, instruction, reader, source)


def add_operation(state: StageState, instruction: Add, reader: WordReader) -> CopyOperation:
    """The operation of an expanded ADD; mistakes are noted by ``reader``."""
    _check_checksum(instruction, reader)
    for source in instruction.sources:
        _check_remote(instruction, source, reader)
    return _operation(state, instruction, reader, MAIN_CONTEXT)


def _operation(
    state: StageState, instruction: Copy | Add, reader: WordReader, source: SourceRef
) -> CopyOperation:
    _check_flags(instruction, reader)
    return CopyOperation(
        instruction=instruction,
        kind="ADD" if isinstance(instruction, Add) else "COPY",
        sources=tuple(word.value for word in instruction.sources),
        files=tuple(_inline(one.name, one.text) for one in instruction.files),
        destination=destination(state.workdir, instruction.destination.value),
        from_=source,
        workdir=state.workdir,
        span=instruction.span,
        **given_flags(instruction, without={"from_"}),
    )


def _inline(name: str, text: str) -> InlineFile:
    return InlineFile(name, text.encode("utf-8", "surrogateescape"))


def destination(workdir: str, path: str) -> str:
    """``path`` absolute and cleaned; a trailing ``/`` says that it is to be a directory."""
    if path in ("", ".") or path.endswith(("/", "/.")):
        found = clean(path if path.startswith("/") else f"{workdir}/{path}")
        return found if found == "/" else f"{found}/"
    return clean(path if path.startswith("/") else f"{workdir}/{path}")


def _check_flags(instruction: Copy | Add, reader: WordReader) -> None:
    for name, declaration in flags_of(type(instruction)).items():
        word: Word | None = getattr(instruction, name)
        if declaration.check is None or word is None:
            continue
        try:
            declaration.check(word.value)
        except ValueError as problem:
            reader.refuse(str(problem), word.span)


def _check_local(source: Word, reader: WordReader) -> None:
    git = _git(source, reader)
    if git is not None:
        reader.refuse("source can't be a git ref for COPY", source.span, "ADD clones repositories")
    elif is_url(source.value):
        reader.refuse("source can't be a URL for COPY", source.span, "ADD downloads files")


def _git(source: Word, reader: WordReader) -> GitSource | None:
    try:
        return parse_git_source(source.value)
    except ValueError as problem:
        reader.refuse(str(problem), source.span)
        return None


def _check_checksum(instruction: Add, reader: WordReader) -> None:
    checksum = instruction.checksum
    if checksum is None:
        return
    if len(instruction.sources) != 1:
        reader.refuse("checksum can't be specified for multiple sources", checksum.span)
    elif not (is_url(instruction.sources[0].value) or is_git(instruction.sources[0].value)):
        reader.refuse("checksum requires HTTP(S) or Git sources", checksum.span)


def _check_remote(instruction: Add, source: Word, reader: WordReader) -> None:
    git = _git(source, reader)
    if git is not None:
        _check_git(instruction, git, source, reader)
    elif instruction.checksum is not None and is_url(source.value):
        try:
            check_digest(instruction.checksum.value)
        except ValueError as problem:
            reader.refuse(str(problem), instruction.checksum.span)


def _check_git(instruction: Add, git: GitSource, source: Word, reader: WordReader) -> None:
    checksum = instruction.checksum
    try:
        git.with_flags(checksum.value if checksum else None, instruction.keep_git_dir)
    except ValueError as problem:
        reader.refuse(str(problem), (checksum or source).span)
