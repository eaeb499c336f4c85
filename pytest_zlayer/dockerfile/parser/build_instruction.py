"""Typed instructions from the tokens of a line; what the grammar cannot say is checked here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pytest_zlayer.dockerfile.instructions import (
    AnyInstruction,
    Arg,
    ArgDeclaration,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    From,
    Label,
    Maintainer,
    Onbuild,
    Pair,
    Shell,
    StopSignal,
    Trigger,
    User,
    Volume,
    Workdir,
)
from pytest_zlayer.dockerfile.parser.build_command import build_healthcheck, build_run, command_of
from pytest_zlayer.dockerfile.parser.build_copy import build_add, build_copy
from pytest_zlayer.dockerfile.parser.flags import InstructionError, read_flags
from pytest_zlayer.dockerfile.parser.lexeme import Lexeme
from pytest_zlayer.dockerfile.parser.parts import Parts, split_parts
from pytest_zlayer.dockerfile.source import Span, Word
from pytest_zlayer.dockerfile.spaces import SPACES
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.lazy import late_pattern

_STAGE_NAME = late_pattern(r"[a-z][a-z0-9\-_.]*")
_ONBUILD = late_pattern(r"[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*", re.IGNORECASE | re.ASCII)


def build(tokens: Sequence[Lexeme], text: str) -> AnyInstruction:
    """The instruction made of the tokens of one line of ``text``.

    Raises:
        InstructionError: it is not one that BuildKit accepts.
    """
    parts = split_parts(tokens, text)
    return _BUILDERS[tokens[0].type](parts)


def _from(parts: Parts) -> From:
    words = parts.words
    name, stage_word = None, None
    if len(words) > 1:
        stage_word = words[2]
        name = stage_word.value.lower()
        if not _STAGE_NAME.fullmatch(name):
            message = f"invalid name for build stage: {go_quote(stage_word.value)}"
            message += ", name can't start with a number or contain symbols"
            raise InstructionError(message, stage_word.span)
    flags = read_flags("FROM", parts.flags)
    return From(
        **parts.common(),
        image=words[0],
        stage_name=name,
        stage_word=stage_word,
        **flags.fields_of(From),
    )


def _arg(parts: Parts) -> Arg:
    return Arg(
        **parts.common(), declarations=tuple(_declaration(parts, one) for one in parts.tokens)
    )


def _declaration(parts: Parts, token: Lexeme) -> ArgDeclaration:
    if token.type == "NAME":
        return ArgDeclaration(token.word, None)
    name, value = parts.split_pair(token)
    if not name.value:
        raise InstructionError("ARG names can not be blank", token.word.span)
    return ArgDeclaration(name, value)


def _env(parts: Parts) -> Env:
    read_flags("ENV", parts.flags)
    pairs, legacy = _pairs(parts, "ENV")
    return Env(**parts.common(_flat(pairs)), pairs=pairs, legacy=legacy)


def _label(parts: Parts) -> Label:
    read_flags("LABEL", parts.flags)
    pairs, legacy = _pairs(parts, "LABEL")
    return Label(**parts.common(_flat(pairs)), pairs=pairs, legacy=legacy)


def _pairs(parts: Parts, keyword: str) -> tuple[tuple[Pair, ...], bool]:
    tokens = parts.tokens
    if tokens[0].type == "NAME":
        return (Pair(tokens[0].word, tokens[1].word),), True
    pairs = tuple(Pair(*parts.split_pair(one)) for one in tokens)
    for pair, token in zip(pairs, tokens, strict=True):
        if not pair.name.value:
            raise InstructionError(f"{keyword} names can not be blank", token.word.span)
    return pairs, False


def _flat(pairs: tuple[Pair, ...]) -> tuple[Word, ...]:
    return tuple(word for pair in pairs for word in (pair.name, pair.value))


def _cmd(parts: Parts) -> Cmd:
    read_flags("CMD", parts.flags)
    return Cmd(**parts.common(), command=command_of(parts.words, parts.json))


def _entrypoint(parts: Parts) -> Entrypoint:
    read_flags("ENTRYPOINT", parts.flags)
    return Entrypoint(**parts.common(), command=command_of(parts.words, parts.json))


def _shell(parts: Parts) -> Shell:
    read_flags("SHELL", parts.flags)
    return Shell(**parts.common(), command=tuple(word.value for word in parts.words))


def _workdir(parts: Parts) -> Workdir:
    read_flags("WORKDIR", parts.flags)
    return Workdir(**parts.common(), path=parts.words[0])


def _user(parts: Parts) -> User:
    read_flags("USER", parts.flags)
    return User(**parts.common(), user=parts.words[0])


def _maintainer(parts: Parts) -> Maintainer:
    read_flags("MAINTAINER", parts.flags)
    return Maintainer(**parts.common(), author=parts.words[0])


def _stopsignal(parts: Parts) -> StopSignal:
    return StopSignal(**parts.common(), signal=parts.words[0])


def _expose(parts: Parts) -> Expose:
    read_flags("EXPOSE", parts.flags)
    ports = tuple(sorted(parts.words, key=lambda word: word.value))
    return Expose(**parts.common(), ports=ports)


def _volume(parts: Parts) -> Volume:
    read_flags("VOLUME", parts.flags)
    paths = tuple(_trimmed(word) for word in parts.words)
    for path in paths:
        if not path.value:
            raise InstructionError("VOLUME specified can not be an empty string", path.span)
    return Volume(**parts.common(), paths=paths)


def _trimmed(word: Word) -> Word:
    value = word.value.strip(SPACES)
    return word if value == word.value else Word(value, word.span)


def _onbuild(parts: Parts) -> Onbuild:
    read_flags("ONBUILD", parts.flags)
    text = _ONBUILD.sub("", parts.line.text, count=1)
    for heredoc in parts.heredocs:
        text += f"\n{heredoc.content}{heredoc.name}"
    return Onbuild(**parts.common(), text=text, trigger=_trigger(parts))


def _trigger(parts: Parts) -> Trigger:
    keyword = parts.trigger or parts.keyword
    words: list[Word] = []
    pairs = keyword.upper() in ("ENV", "LABEL")
    for token in parts.tokens:
        words += parts.split_pair(token) if pairs and token.type == "PAIR" else (token.word,)
    whole, start = parts.line.whole, keyword.word.span
    common = parts.common(tuple(words))
    common.update(
        span=Span(start.line, start.column, whole.end_line, whole.end_column),
        source=parts.text[parts.line.file_offset(keyword.start_pos or 0) : parts.line.end],
        keyword=str(keyword),
        flags=parts.trigger_flags,
        json=keyword.json,
        comments=(),
        empty_continuation=False,
    )
    return Trigger(**common, legacy=any(token.type == "VALUE" for token in parts.tokens))


_BUILDERS: Mapping[str, Callable[[Parts], AnyInstruction]] = {
    "ADD": build_add,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": build_copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": build_healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": build_run,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
