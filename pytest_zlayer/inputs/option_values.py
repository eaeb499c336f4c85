"""The text of an option becomes its value; what cannot be is a ``ValueError`` in words."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.choices import IMAGES_IN_FILES
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from pytest_zlayer.builder.model.cache_place import CachePlace


# Characters of a text in a message.
_LONGEST = 200


def quoted(text: str) -> str:
    """A text as a message shows it."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def without_nul(text: str) -> str:
    """The text, which the operating system takes nowhere with a NUL in it."""
    if "\0" in text:
        raise ValueError("expected text without NUL")
    return text


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """What takes one of these words."""

    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return convert


def to_text(text: str) -> str:
    """Text without white space around it; not nothing."""
    if not text.strip():
        raise ValueError("expected some text")
    return text.strip()


def to_path(text: str) -> Path:
    """An absolute path; relative ones start at the working directory."""
    try:
        return Path(to_text(text)).expanduser().absolute()
    except RuntimeError:
        raise ValueError("expected a path: there is no such home directory") from None


def to_place(text: str) -> CachePlace:
    """A place where cached layers are kept for other machines."""
    with LOADING:
        from pytest_zlayer.builder.model.cache_place import parse_place

    try:
        return parse_place(to_text(text), Path.cwd())
    except ValueError as problem:
        raise ValueError(f"expected dir:PATH or REGISTRY/REPOSITORY ({problem})") from None


def to_output_directory(text: str) -> Path:
    """A directory that is there and can be written, or that can be made."""
    import tempfile  # here, as few runs need it

    path = to_path(text)
    try:
        there = next(one for one in (path, *path.parents) if one.exists())
        # Tried: what root may do says nothing of file systems that take no files.
        with tempfile.TemporaryFile(dir=there):
            return path
    except OSError:
        raise ValueError("expected a directory that can be written") from None


def to_program(text: str) -> str:
    """A path if it looks like one, else a name to be found on PATH."""
    return str(to_path(text)) if "/" in text else to_text(text)


def to_report(text: str) -> Path:
    """A file whose ending says what is written."""
    path = to_path(text)
    if path.suffix not in (".html", ".json"):
        raise ValueError("expected a file that ends in .html or .json")
    return path


def to_count(text: str) -> int:
    """A whole number of 0 or more."""
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
        raise ValueError("expected a whole number of 0 or more")
    return int(text)


def _number(text: str, *, least: float, words: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least:
        raise ValueError(f"expected {words}")
    return value


def to_seconds(text: str) -> float:
    """Seconds, 0 or more."""
    return _number(text, least=0.0, words="a number of seconds, 0 or more")


def to_factor(text: str) -> float:
    """A number of 1 or more."""
    return _number(text, least=1.0, words="a number of 1 or more")


def to_limit(text: str) -> float | None:
    """Seconds, where 0 means that there is no limit."""
    return to_seconds(text) or None


def to_switch(text: str) -> bool:
    """The usual words for true and false."""
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected true or false")


def to_prebuild(text: str) -> str:
    """``on``, ``off`` or ``only``; the usual words for true and false are taken too."""
    if text.strip().lower() == "only":
        return "only"
    try:
        return "on" if to_switch(text) else "off"
    except ValueError:
        raise ValueError("expected on, off or only") from None


def to_structure(text: str) -> str:
    """An image and the files that are about it: ``IMAGE=FILE…``."""
    image, equals, files = text.partition("=")
    if not equals or not image.strip() or not files.split():
        raise ValueError("expected IMAGE = FILE…")
    return f"{image.strip()}={' '.join(files.split())}"


def to_identifier(text: str) -> str:
    """A name that can be written after ``pytest.mark.``."""
    if not text.strip().isidentifier() or keyword.iskeyword(text.strip()):
        raise ValueError("expected a Python identifier")
    return text.strip()


def to_patterns(text: str) -> str:
    """Patterns of paths; ``on`` and ``off`` for the words of a switch."""
    try:
        return "on" if to_switch(text) else "off"
    except ValueError:
        return " ".join(to_text(text).split())


def to_listing(text: str) -> str | None:
    """The format of a listing, ``text`` or ``json``; ``None``: none is wanted."""
    word = text.strip().lower()
    if word in {"text", "json"}:
        return word
    try:
        return "text" if to_switch(text) else None
    except ValueError:
        raise ValueError("expected text or json") from None


_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIZES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}


def to_span(text: str) -> float:
    """A time with its unit, in seconds."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhdw])\s*", text.lower())
    if not found:
        raise ValueError("expected a time such as 12h or 14d")
    return float(found[1]) * _SPANS[found[2]]


def to_size(text: str) -> int:
    """A size with its unit, in bytes."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if not found or (found[3] and not found[2]):
        raise ValueError("expected a size such as 500MB or 10GiB")
    unit = 1024 ** " kmgt".index(found[2]) if found[3] else _SIZES[found[2]]
    size = float(found[1]) * unit
    if not math.isfinite(size):
        raise ValueError("expected a size such as 500MB or 10GiB")
    return int(size)


def to_pair(text: str) -> tuple[str, str]:
    """``NAME=VALUE``; the value may be empty and may hold more of ``=``."""
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise ValueError("expected NAME=VALUE")
    return name.strip(), value


def to_context_pair(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` where the value is a path or has a scheme (``docker-image://``)."""
    name, value = to_pair(text)
    if "://" in value or value.partition(":")[0] in IMAGES_IN_FILES:
        return name, value
    return name, str(to_path(value))
