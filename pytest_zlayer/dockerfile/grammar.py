"""Loading the Lark grammars, through a private cache whose files may be missing or damaged."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from lark import Lark
    from lark.lexer import Lexer

_PACKAGE = Path(__file__).resolve().parent.parent
_PLACES = (_PACKAGE / "grammar", _PACKAGE.parent / "grammar")
# The number is that of what the file holds: another one makes every older file a foreign one.
_MAGIC = b"pytest-zlayer grammar 1\n"
_DIGEST_SIZE = hashlib.sha256().digest_size

Replacements = tuple[tuple[str, str], ...]


def load_grammar(
    name: str,
    *,
    start: tuple[str, ...] = ("start",),
    lexer: Literal["contextual", "basic"] | type[Lexer] = "contextual",
    replace: Replacements = (),
    cache_dir: Path | None = None,
) -> Lark:
    """The LALR parser of ``grammar/<name>.lark``; one per process and set of arguments.

    Args:
        name: the file's name without ``.lark``.
        start: the start rules.
        lexer: one of Lark's lexers or another class.
        replace: text replacements applied to the grammar before it is compiled (for a dialect).
        cache_dir: where compiled grammars are kept; default: the user's cache directory.

    Raises:
        ZlayerError: the grammar file is missing (a broken installation).
    """
    # ``functools.cache`` alone would let threads that meet here each load a grammar of their own.
    with LOADING:
        return _loaded(name, start, lexer, replace, cache_dir)


@functools.cache
def _loaded(
    name: str,
    start: tuple[str, ...],
    lexer: Literal["contextual", "basic"] | type[Lexer],
    replace: Replacements,
    cache_dir: Path | None,
) -> Lark:
    text = grammar_text(name)
    for old, new in replace:
        text = text.replace(old, new)
    options = {"parser": "lalr", "lexer": lexer, "start": list(start), "maybe_placeholders": False}
    file = (cache_dir or default_cache_dir()) / f"{name}-{_key(text, options)}.grammar"
    return _from_cache(file) or _compiled(text, options, file)


def grammar_text(name: str) -> str:
    """The source of a grammar, from the installed package or from the source tree."""
    for place in _PLACES:
        file = place / f"{name}.lark"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise ZlayerError(
        f"the grammar {name}.lark is missing (looked in {' and '.join(map(str, _PLACES))})",
        hint="reinstall pytest-zlayer",
    )


def default_cache_dir() -> Path:
    """The folder of compiled grammars in the user's cache directory."""
    import platformdirs

    return platformdirs.user_cache_path("pytest-zlayer") / "grammar"


def _key(text: str, options: Mapping[str, object]) -> str:
    """What a compiled grammar depends on."""
    import lark

    parts = (
        text,
        repr(sorted((name, str(value)) for name, value in options.items())),
        lark.__version__,
        sys.version,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _compiled(text: str, options: Mapping[str, object], file: Path) -> Lark:
    from lark import Lark

    grammar = Lark(text, **options)
    buffer = io.BytesIO()
    grammar.save(buffer)
    _write(file, buffer.getvalue())
    return grammar


def _from_cache(file: Path) -> Lark | None:
    """The grammar kept in ``file``; ``None`` when there is none that can be trusted."""
    from lark import Lark

    payload = _read(file)
    if payload is None:
        return None
    try:
        return Lark.load(io.BytesIO(payload))
    except Exception:  # noqa: BLE001 - whatever a stale pickle raises, compiling anew is the cure
        return None


def _read(file: Path) -> bytes | None:
    """The checked payload of a cache file that nobody but this user can have written."""
    try:
        with open(os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as opened:
            if not (_is_private(os.fstat(opened.fileno())) and _is_private(file.parent.stat())):
                return None
            data = opened.read()
    except OSError:
        return None
    head = len(_MAGIC) + _DIGEST_SIZE
    digest, payload = data[len(_MAGIC) : head], data[head:]
    if not data.startswith(_MAGIC) or hashlib.sha256(payload).digest() != digest:
        return None
    return payload


def _is_private(status: os.stat_result) -> bool:
    """A pickle runs code: it must be this user's and nobody else may have been able to write it."""
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _write(file: Path, payload: bytes) -> None:
    """Keep ``payload`` for the next process; a reader sees all of it or nothing."""
    digest = hashlib.sha256(payload).digest()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError:
        return
    try:
        with open(descriptor, "wb") as opened:
            opened.write(_MAGIC + digest + payload)
        os.replace(temporary, file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
