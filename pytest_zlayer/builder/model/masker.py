"""Secret values: they are replaced in everything that a build reports."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_zlayer.lazy import LOADING, late_pattern

if TYPE_CHECKING:
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.events import Event

HIDDEN = "***"
_SHORTEST = 4  # what is shorter stands in every text by chance
_PASSWORD = late_pattern(r"(?<=://)[^/@\s]+(?=@)")


class Masker:
    """Replaces values that it was given. Safe for several threads."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def begin_anew(self) -> None:
        """In a forked child: no thread of the parent is here to give a lock back."""
        self._lock = threading.Lock()

    def hide(self, values: Iterable[str]) -> None:
        """Let these values be replaced from now on; one of several lines is hidden line by line."""
        lines = {line.strip() for value in values for line in value.splitlines()}
        new = {line for line in lines if len(line) >= _SHORTEST}
        with self._lock:
            if new <= self._values:
                return
            self._values |= new
            longest = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(one) for one in longest))

    def text(self, text: str) -> str:
        """``text`` without them, and without passwords in addresses."""
        shown = _PASSWORD.sub(HIDDEN, text) if "://" in text else text
        return shown if self._pattern is None else self._pattern.sub(HIDDEN, shown)

    def data(self, data: bytes) -> bytes:
        """The same for what a command has written, whatever its encoding; whole lines."""
        if self._pattern is None and b"://" not in data:
            return data
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def event(self, event: Event) -> Event:
        """An event without them."""
        changed: dict[str, Any] = {}
        for name in ("text", "reason", "message", "what", "hint"):
            value = getattr(event, name, None)
            if isinstance(value, str) and (shown := self.text(value)) != value:
                changed[name] = shown
        return dataclasses.replace(event, **changed) if changed else event


def looks_random(value: str) -> bool:
    """Whether a value has the looks of a token: long, of letters and digits, no path or version."""
    kinds = (str.isdigit, str.islower, str.isupper)
    mixed = sum(any(test(one) for one in value) for test in kinds)
    return len(value) >= 16 and mixed >= 2 and re.fullmatch(r"[\w+=-]+", value) is not None


def hidden_values(spec: ImageSpec, environment: Mapping[str, str]) -> Iterator[str]:
    """Values of a declaration that nobody is to read: secrets, and arguments that look like one.

    Args:
        spec: the declaration, with the build arguments of the settings.
        environment: where secrets may come from.
    """
    with LOADING:
        from pytest_zlayer.dockerfile.values.secret_names import looks_secret

    for name, value in spec.build_args.items():
        if looks_secret(name) or looks_random(value):
            yield value
    for place in spec.secrets.values():
        yield from _secret(place, environment)


def _secret(place: str, variables: Mapping[str, str]) -> Iterator[str]:
    if place.startswith("env:"):
        yield variables.get(place[4:], "")
        return
    try:
        path = Path(place)
        # What is no file, a FIFO or a device, can be read once or without end.
        if path.is_file() and path.stat().st_size <= 64 * 1024:
            yield path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
