"""Lines of the log of a container, with stream and time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Literal

from pytest_zlayer.dataclass import dataclass

Stream = Literal["stdout", "stderr"]
AnyStream = Literal["stdout", "stderr", "zlayer"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log.

    Attributes:
        time: when it came, RFC 3339 in UTC.
        stream: where it was written; ``zlayer`` for a line about a process, which none has written.
        text: the line, without its end.
    """

    time: str
    stream: AnyStream
    text: str

    def __str__(self) -> str:
        return f"{self.time[11:23]} {self.stream} {self.text}"


def moment() -> str:
    """Now, as the time of a line."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def as_text(lines: Iterable[LogLine], stream: AnyStream | None, tail: int | None) -> str:
    """The lines of one stream or of all, or the last of them."""
    chosen = [one.text for one in lines if stream is None or one.stream == stream]
    kept = chosen if tail is None else chosen[max(0, len(chosen) - tail) :]
    return "".join(f"{line}\n" for line in kept)
