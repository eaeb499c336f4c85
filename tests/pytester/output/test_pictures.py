"""Pictures of a terminal for the documentation, made of what its screen has shown."""

from __future__ import annotations

import io
import os
import re
from itertools import groupby
from pathlib import Path

import pytest
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.pytester.output.test_live import TESTS, Terminal

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
_COLOURS = {"default": None, "brown": "yellow"}


def picture(terminal: Terminal, title: str) -> str:
    """The screen as it is now, as SVG."""
    console = Console(
        record=True, width=terminal.screen.columns, file=io.StringIO(), force_terminal=True
    )
    for number in range(len(terminal.text().splitlines())):
        row = terminal.screen.buffer[number]
        shown = [row[column] for column in range(terminal.screen.columns)]
        line = Text()
        for (colour, bold), run in groupby(shown, key=lambda one: (one.fg, one.bold)):
            style = Style(color=_COLOURS.get(colour, colour), bold=bold or None)
            line.append("".join(one.data for one in run), style)
        line.rstrip()
        console.print(line)
    # Without fonts from elsewhere; what is there will do.
    return re.sub(r"@font-face \{.*?\}", "", console.export_svg(title=title), flags=re.DOTALL)


@pytest.mark.parametrize(
    ("name", "flags"), [("terminal", ()), ("terminal-xdist", ("-n2",))], ids=["alone", "xdist"]
)
def test_pictures_of_the_terminal(project, tmp_path, name, flags):
    # The pictures of the documentation: PICTURES=1 pytest tests/pytester/output/test_pictures.py
    project.pytester.makepyfile(test_it=TESTS)
    run = Terminal(project.path, "--no-header", *flags, columns=80)
    run.until("[gw1] " if flags else "RUN slow | half of it is done", below="images done")
    svg = picture(run, " ".join(["pytest", *flags]))
    run.end()
    folder = PICTURES if os.environ.get("PICTURES") else tmp_path
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    assert svg.startswith("<svg")
    assert "images&#160;done" in svg
    assert "http" not in re.sub(r'xmlns="[^"]+"|<!--.*?-->', "", svg)
