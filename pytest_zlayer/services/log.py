"""The log of a service as it stands in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_zlayer.builder.image.log import LogLine, Stream, moment


def log_line(stream: str, tag: str, text: str) -> str:
    """A line of now, as :func:`parse_log` reads it."""
    return f"{moment()} {stream} {tag} {text}\n"


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
