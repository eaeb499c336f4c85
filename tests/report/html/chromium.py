"""A page in a real browser: the DOM after its script ran, and a picture."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no chromium")
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--virtual-time-budget=5000",
)  # fmt: skip


def browse(page: Path, *options: str, fragment: str = "") -> str:
    """What the browser prints, having loaded the page in a profile of its own."""
    argv = [
        str(PROGRAM), *_OPTIONS, f"--user-data-dir={page.parent / 'profile'}", *options,
        f"{page.as_uri()}{fragment}",
    ]  # fmt: skip
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout


def answers(page: Path, script: str) -> str:
    """What ``script``, run in the page after its own, makes the title of the page."""
    text = page.read_text(encoding="utf-8")
    # The policy of the page forbids any script but its own; for the test it is taken out.
    text = text.replace('http-equiv="Content-Security-Policy"', 'name="policy"')
    asked = page.with_name(f"asked-{page.name}")
    code = f"<script>addEventListener('load', async () => {{ document.title = {script} }})</script>"
    asked.write_text(text.replace("</body>", f"{code}</body>"), encoding="utf-8")
    dom = browse(asked, "--dump-dom")
    return dom.partition("<title>")[2].partition("</title>")[0]
