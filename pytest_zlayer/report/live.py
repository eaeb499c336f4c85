"""A block of lines below what a program writes, drawn anew several times a second.

The cursor always stays where the program has left it: what it writes next needs no help, and to
remove the block is to erase what is below.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from pytest_zlayer.report.running import Activity, Running

PAUSE = 0.15  # seconds between two drawings
_MOST = 8  # activities
ERASE_BELOW = "\x1b[J"


def can_be_live(environment: Mapping[str, str], stream: TextIO | None) -> bool:
    """Whether there is a terminal that can move its cursor, watched by a person, and rich."""
    terminal = environment.get("TERM", "")
    if stream is None or not stream.isatty() or terminal in ("", "dumb", "unknown"):
        return False
    if environment.get("CI", "").lower() not in ("", "0", "false"):
        return False
    return find_spec("rich") is not None


class LiveBlock:
    """Draws what is going on.

    Args:
        running: gives what is going on.
        colours: whether to use any.
        stream: where it is written; by default the standard output as it was at the start.
    """

    def __init__(
        self, running: Callable[[], Running], *, colours: bool, stream: TextIO | None = None
    ) -> None:
        self._running = running
        self._stream = stream
        self._colours = colours
        self._began: float | None = None
        self._console: Console | None = None

    def text(self, column: int) -> str:
        """The block as a terminal takes it: drawn below the line of the cursor, which comes back.

        Args:
            column: where in its line the cursor stands.
        """
        size = terminal_size(self._stream or sys.__stdout__)
        lines = self._lines(size.columns, min(_MOST, max(size.lines // 3, 1)))
        if not lines:
            return ""
        right = column % size.columns
        back = f"\r\x1b[{len(lines)}A" + (f"\x1b[{right}C" if right else "")
        return ERASE_BELOW + "".join(f"\r\n{line}" for line in lines) + back

    def _lines(self, columns: int, most: int) -> list[str]:
        found = self._running().activities()
        if not found:
            return []
        from rich.text import Text

        now = time.time()
        self._began = self._began or found[0].since
        head = f"zlayer: {self._running().headline()}, {now - self._began:.0f} s"
        lines = [Text(head, style="bold")]
        lines += [_line(one, now) for one in found[:most]]
        if len(found) > most:
            lines.append(Text(f"  … and {len(found) - most} more", style="dim"))
        return [self._rendered(line, columns - 1) for line in lines]

    def _rendered(self, line: Text, columns: int) -> str:
        console = self._console
        if console is None or console.width != columns:
            from rich.console import Console

            console = self._console = Console(
                width=columns,
                force_terminal=True,
                color_system="standard" if self._colours else None,
                no_color=not self._colours,
                highlight=False,
                emoji=False,
                markup=False,
            )
        line.truncate(columns, overflow="ellipsis")
        with console.capture() as captured:
            console.print(line, end="", no_wrap=True, crop=True, soft_wrap=True)
        return captured.get().replace("\n", " ")


def _line(one: Activity, now: float) -> Text:
    from rich.text import Text

    return Text.assemble(
        "  ",
        (f"{now - one.since:6.1f} s ", "cyan"),
        (one.image, "bold"),
        f" {one.doing}",
        (f" | {one.said}" if one.said else "", "dim"),
    )


def terminal_size(stream: TextIO | None) -> os.terminal_size:
    """The terminal's size as it is now: it may have changed since the run began."""
    try:
        return os.get_terminal_size(stream.fileno() if stream else 1)
    except (OSError, ValueError, AttributeError):
        return shutil.get_terminal_size()
