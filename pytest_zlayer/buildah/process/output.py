"""The output of a command as lines, of which the last ones are kept."""

from __future__ import annotations

import codecs
import os
import selectors
from collections import deque
from collections.abc import Callable, Iterator, Mapping

LineSink = Callable[[str, str], None]

# Nobody reads longer lines; without a bound one that never ends would grow the process.
LONGEST_LINE = 16 * 1024


def without_end(text: str) -> str:
    """A line without its end; a carriage return before that goes with it."""
    return text[:-1].removesuffix("\r") if text.endswith("\n") else text


class LineSplitter:
    """Bytes in, lines with their ends out, as soon as each is complete.

    Bytes that are not UTF-8 become U+FFFD; a line longer than ``longest`` characters comes in
    pieces, of which only the last has an end.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._longest = longest
        self._rest = ""

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[str]:
        """The lines that these bytes complete; with ``final`` also what has no line end."""
        text = self._rest + self._decoder.decode(data, final)
        *complete, self._rest = text.split("\n")
        for line in complete:
            yield from self._pieces(f"{line}\n")
        while len(self._rest) > self._longest:
            yield self._rest[: self._longest]
            self._rest = self._rest[self._longest :]
        if final and self._rest:
            yield self._rest
            self._rest = ""

    def _pieces(self, line: str) -> Iterator[str]:
        while len(without_end(line)) > self._longest:
            yield line[: self._longest]
            line = line[self._longest :]
        yield line


class Tail:
    """The last lines of a stream, bounded in number and in characters."""

    def __init__(self, lines: int, characters: int) -> None:
        self._kept: deque[str] = deque()
        self._lines = lines
        self._characters = characters
        self._size = 0

    def add(self, line: str) -> None:
        """Takes one more line, and lets go of the oldest that are too many."""
        self._kept.append(line)
        self._size += len(line)
        while len(self._kept) > 1 and (
            len(self._kept) > self._lines or self._size > self._characters
        ):
            self._size -= len(self._kept.popleft())

    @property
    def lines(self) -> tuple[str, ...]:
        """What is kept, oldest first."""
        return tuple(self._kept)


class TrailingFilter:
    """Passes lines on, except that suspicious ones at the very end are kept back.

    buildah ends the output of a failed RUN with lines of its own, of which the first may go on in
    the last line of the command. Whether a line is such a one shows only at the end, since the
    command may write the same words.

    Args:
        suspicious: where in a line the suspicious words begin; ``None`` where there are none.
        sink: takes what is passed on.
    """

    def __init__(
        self, suspicious: Callable[[str], int | None], sink: Callable[[str], None]
    ) -> None:
        self._suspicious = suspicious
        self._sink = sink
        self._held: list[str] = []

    def add(self, line: str) -> None:
        """Takes one line."""
        begins = self._suspicious(line)
        if begins != 0 or len(self._held) == 4:
            self.release()
        if begins is None:
            self._sink(line)
        else:
            self._held.append(line)

    def release(self) -> None:
        """Passes on what was kept back."""
        for line in self._held:
            self._sink(line)
        self._held = []

    def finish(self, *, hide: bool) -> None:
        """Nothing more comes: passes on what was kept back, or with ``hide`` lets go of it.

        What stands before the suspicious words is passed on in either case.
        """
        if not hide:
            self.release()
        for line in self._held[:1]:
            if begins := self._suspicious(line):
                self._sink(line[:begins])
        self._held = []


def read_to_the_end(streams: Mapping[int, str], sink: LineSink) -> None:
    """Passes on the lines of pipes and sockets until nobody can write to them, and closes them."""
    splitters = {descriptor: LineSplitter() for descriptor in streams}
    with selectors.DefaultSelector() as selector:
        for descriptor in streams:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                data = _read(key.fd)
                for line in splitters[key.fd].feed(data, final=not data):
                    sink(streams[key.fd], without_end(line))
                if not data:
                    selector.unregister(key.fd)
                    os.close(key.fd)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, LONGEST_LINE)
    except ConnectionResetError:  # the other side of a socket was killed
        return b""
