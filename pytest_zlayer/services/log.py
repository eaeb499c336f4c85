"""What a service writes: lines with stream and time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Literal

from pytest_zlayer.dataclass import dataclass

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log; ``time`` is RFC 3339 in UTC."""

    time: str
    stream: Stream
    text: str

    def __str__(self) -> str:
        return f"{self.time[11:23]} {self.stream} {self.text}"


def log_line(stream: str, tag: str, text: str) -> str:
    """A line of now, as :func:`parse_log` reads it."""
    return (
        f"{datetime.now(timezone.utc).isoformat(timespec='microseconds')} {stream} {tag} {text}\n"
    )


def unfinished(lines: Iterable[str]) -> list[str]:
    """The streams of which the last line has no end."""
    tags = {parts[1]: parts[2] for line in lines if len(parts := line.split()) > 2}
    return [stream for stream, tag in tags.items() if tag == "P"]


def parse_log(lines: Iterable[str]) -> Iterator[LogLine]:
    """Lines as ``TIME STREAM TAG TEXT``, the format of Kubernetes, which conmon writes.

    A line tagged ``P`` goes on in the next one of its stream.
    """
    begun: dict[str, LogLine] = {}
    for line in lines:
        parts = line.rstrip("\n").split(" ", 3)
        if len(parts) < 3 or parts[1] not in ("stdout", "stderr"):
            continue
        time, stream, tag = parts[:3]
        text = parts[3] if len(parts) > 3 else ""
        first = begun.pop(stream, None)
        kind: Stream = "stderr" if stream == "stderr" else "stdout"
        whole = LogLine(first.time if first else time, kind, (first.text if first else "") + text)
        if tag == "P":
            begun[stream] = whole
        else:
            yield whole
    yield from begun.values()


def as_text(lines: Iterable[LogLine], stream: Stream | None, tail: int | None) -> str:
    """The lines of one stream or of both, or the last of them."""
    chosen = [one.text for one in lines if stream is None or one.stream == stream]
    kept = chosen if tail is None else chosen[max(0, len(chosen) - tail) :]
    return "".join(f"{line}\n" for line in kept)
