"""One line of comma-separated fields (RFC 4180) with the errors of Go's ``encoding/csv``."""

from __future__ import annotations

_BARE_QUOTE = 'bare " in non-quoted-field'
_QUOTE = 'extraneous or missing " in quoted-field'


def csv_fields(line: str) -> list[str]:
    """The fields; one line break at the end is dropped.

    Raises:
        ValueError: ``EOF`` for an empty line, else ``parse error on line 1, column N: …`` where
            columns count bytes.
    """
    text = line.removesuffix("\n")
    text = text.removesuffix("\r") if text != line else text
    if not text:
        raise ValueError("EOF")
    fields: list[str] = []
    position = 0
    while position <= len(text):
        reader = _quoted if text.startswith('"', position) else _plain
        field, position = reader(text, position)
        fields.append(field)
    return fields


def _plain(text: str, start: int) -> tuple[str, int]:
    """A field without quotes and where the next one begins (past the end after the last)."""
    comma = text.find(",", start)
    end = len(text) if comma < 0 else comma
    quote = text.find('"', start, end)
    if quote >= 0:
        raise _error(text, quote, _BARE_QUOTE)
    return text[start:end], end + 1


def _quoted(text: str, start: int) -> tuple[str, int]:
    """A field in quotes (``""`` inside stands for one) and where the next one begins."""
    pieces = []
    position = start + 1
    while True:
        quote = text.find('"', position)
        if quote < 0:
            raise _error(text, position, _QUOTE)
        pieces.append(text[position:quote])
        if not text.startswith('"', quote + 1):
            break
        pieces.append('"')
        position = quote + 2
    if text[quote + 1 : quote + 2] not in ("", ","):
        raise _error(text, quote, _QUOTE)
    return "".join(pieces), quote + 2


def _error(text: str, position: int, problem: str) -> ValueError:
    column = len(text[:position].encode("utf-8", "surrogateescape")) + 1
    return ValueError(f"parse error on line 1, column {column}: {problem}")
