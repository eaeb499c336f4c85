"""Lines that wait to be shown: as many as somebody may want to read, not all of a flood."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

MOST_LINES = 1000
MOST_CHARACTERS = 512 * 1024


class PendingLines:
    """A queue that lets go of its oldest lines when they are too many, and tells how many."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._characters = 0
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._lines)

    def extend(self, lines: Iterable[str]) -> None:
        """Add lines."""
        for line in lines:
            self._lines.append(line)
            self._characters += len(line)
        while len(self._lines) > MOST_LINES or self._characters > MOST_CHARACTERS:
            self._characters -= len(self._lines.popleft())
            self._left_out += 1

    def take(self) -> list[str]:
        """The lines that wait, oldest first; none waits any more."""
        missing = [f"zlayer: {self._left_out} lines are left out here"] if self._left_out else []
        lines = [*missing, *self._lines]
        self._lines.clear()
        self._characters = self._left_out = 0
        return lines
