"""What BuildKit says about a line that the grammar refuses."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from pytest_zlayer.dockerfile.parser.flags import InstructionError, read_flags
from pytest_zlayer.dockerfile.parser.lexeme import Lexeme
from pytest_zlayer.dockerfile.parser.parts import Parts, split_parts
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.suggest import suggest
from pytest_zlayer.lazy import late_pattern

KEYWORDS = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip

_AT_LEAST_ONE = "{} requires at least one argument"
_EXACTLY_ONE = "{} requires exactly one argument"
_NO_DESTINATION = (
    "{} requires at least two arguments, but only one was provided."
    " Destination could not be determined"
)
_TOO_FEW = {
    "ADD": _NO_DESTINATION,
    "ARG": _AT_LEAST_ONE,
    "COPY": _NO_DESTINATION,
    "ENV": _AT_LEAST_ONE,
    "EXPOSE": _AT_LEAST_ONE,
    "HEALTHCHECK": _AT_LEAST_ONE,
    "LABEL": _AT_LEAST_ONE,
    "MAINTAINER": _EXACTLY_ONE,
    "ONBUILD": _AT_LEAST_ONE,
    "SHELL": _AT_LEAST_ONE,
    "STOPSIGNAL": _EXACTLY_ONE,
    "USER": _EXACTLY_ONE,
    "VOLUME": _AT_LEAST_ONE,
    "WORKDIR": _EXACTLY_ONE,
}
_BLANK_BEHIND_DASH = late_pattern(r"<<-[ \t]+[A-Za-z_]")
_FLAGS_COME_FIRST = frozenset(("ENV", "LABEL", "SHELL"))


def refusal(tokens: Sequence[Lexeme], unexpected: Lexeme, text: str) -> InstructionError:
    """The error for a line that stops making sense at the token ``unexpected``."""
    if unexpected.type == "UNKNOWN":
        return _unknown(unexpected)
    parts = split_parts(tokens, text)
    try:
        return _refusal(parts, unexpected)
    except InstructionError as error:
        return error


def heredoc_hint(before: str) -> str | None:
    """Why the line behind the instruction ``before`` may be meant for a here-document."""
    if _BLANK_BEHIND_DASH.search(before):
        return "no white space may stand behind the <<- of a here-document: <<-NAME"
    name = before.split(maxsplit=1)[0].upper() if before.strip() else ""
    if "<<" in before and name not in ("RUN", "COPY", "ADD"):
        return f"{name} takes no here-document; RUN, COPY and ADD do"
    return None


def _unknown(keyword: Lexeme) -> InstructionError:
    near = _nearest_keyword(keyword.value)
    meant = f" (did you mean {near}?)" if near else ""
    return InstructionError(f"unknown instruction: {keyword.value}{meant}", keyword.word.span)


@functools.lru_cache(maxsize=64)
def _nearest_keyword(word: str) -> str | None:
    return suggest(word, KEYWORDS, case_sensitive=False)


def _refusal(parts: Parts, unexpected: Lexeme) -> InstructionError:
    name, blamed = parts.keyword.type, parts.keyword.word.span
    if name == "FROM":
        # The second word is wrong, or where that is AS, the first one that is too many.
        span = parts.words[1].span if len(parts.words) > 1 else blamed
        if len(parts.words) > 3 and parts.tokens[1].type == "AS":
            span = parts.words[3].span
        return InstructionError("FROM requires either one or three arguments", span)
    if name in _FLAGS_COME_FIRST:
        read_flags(name, parts.flags)
    if name == "ONBUILD" and unexpected.type in ("FROM", "MAINTAINER", "ONBUILD"):
        read_flags(name, parts.flags)
        return _no_trigger(unexpected)
    if name == "SHELL" and parts.words:
        message = "SHELL requires the arguments to be in JSON form"
        return InstructionError(message, parts.words[0].span)
    if name == "HEALTHCHECK" and parts.words:
        return _no_probe(parts)
    return InstructionError(_TOO_FEW[name].format(name), blamed)


def _no_trigger(trigger: Lexeme) -> InstructionError:
    if trigger.type == "ONBUILD":
        message = "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"
    else:
        message = f"{trigger.type} isn't allowed as an ONBUILD trigger"
    return InstructionError(message, trigger.word.span)


def _no_probe(parts: Parts) -> InstructionError:
    kind = parts.tokens[0]
    if kind.type == "NONE":
        return InstructionError("HEALTHCHECK NONE takes no arguments", parts.words[1].span)
    read_flags("HEALTHCHECK", parts.flags)
    if kind.type == "PROBE":
        return InstructionError("Missing command after HEALTHCHECK CMD", kind.word.span)
    shown = go_quote(kind.value.upper())
    message = f"Unknown type {shown} in HEALTHCHECK (try CMD)"
    return InstructionError(message, kind.word.span)
