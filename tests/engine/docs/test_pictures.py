"""The picture of a failed step that the README shows."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from tests.engine.docs.conftest import DOCS
from tests.engine.docs.pages import Page
from tests.report.html.chromium import browse, needs_browser

DOCKERFILE = """\
FROM debian:13
COPY app.conf /etc/
RUN echo "checking /etc/app.conf" && grep "^port=" /etc/app.conf
"""
TEST = """\
import pytest


@pytest.mark.image("api")
def test_the_port(zlayer_image):
    zlayer_image.assert_file("/etc/app.conf", contains="port=8080")
"""
PAGE = '<body style="margin:12px;background:{background}">{code}</body>'


@needs_browser
def test_a_picture_of_a_failure(open_page: Callable[[str], Page]) -> None:
    # The picture of the documentation: PICTURES=1 pytest tests/engine/docs -k picture
    page = open_page("howto/debugging.md")
    folder = DOCS / "pictures" if os.environ.get("PICTURES") else page.project
    (page.project / "api").mkdir()
    (page.project / "api" / "Dockerfile").write_text(DOCKERFILE)
    (page.project / "api" / "app.conf").write_text("prot=8080\n")
    (page.project / "test_api.py").write_text(TEST)
    environment = {name: one for name, one in page.environment.items() if name != "NO_COLOR"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--color=yes", "test_api.py"],
        cwd=page.project,
        env={**environment, "COLUMNS": "100"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "api/Dockerfile:3" in done.stdout
    shown = done.stdout[done.stdout.index("\n", done.stdout.index("ERRORS")) + 1 :]
    html = page.project / "failure.html"
    html.write_text(as_html(shown), encoding="utf-8")
    picture = folder / "failure.png"
    browse(html, "--window-size=900,270", f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")


def as_html(text: str) -> str:
    """What a terminal shows, in its colours."""
    console = Console(record=True, width=100, file=io.StringIO())
    for line in text.splitlines():
        console.print(Text.from_ansi(line), soft_wrap=True)
    code = console.export_html(
        inline_styles=True,
        code_format='<pre style="white-space:pre-wrap;overflow-wrap:anywhere">{code}</pre>',
    )
    return PAGE.format(background="#ffffff", code=code)
