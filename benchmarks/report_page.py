"""How large the page of 300 images is, and what it costs a headless Chromium to open it.

On a machine that does other things too, the processor time above that of an empty page counts.

python benchmarks/report_page.py [IMAGES]
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from pytest_zlayer.report.html.page import page
from tests.report.html.chromium import answers, browse
from tests.report.html.test_page import many

ROUNDS = 7
# Moments of the page itself, in milliseconds since its loading began.
EVENTS = "(e => [e.domInteractive, e.loadEventStart].map(Math.round).join(' '))"
ASK = f"{EVENTS}(performance.getEntriesByType('navigation')[0])"


def main(count: int) -> None:
    """Make the page, open it again and again, and print the medians."""
    run = many(count).run()
    began = time.perf_counter()
    text = page([run])
    made = time.perf_counter() - began
    print(f"{count} images: {len(text.encode()) / 1e6:.2f} MB, written in {made:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "report.html")
        file.write_text(text, encoding="utf-8")
        found = [answers(file, ASK).split() for _ in range(ROUNDS)]
        empty = Path(folder, "empty.html")
        empty.write_text("<!DOCTYPE html><title>empty</title>", encoding="utf-8")
        spent = [processor_time(file) - processor_time(empty) for _ in range(ROUNDS)]
    interactive, loaded = (statistics.median(map(int, one)) for one in zip(*found, strict=True))
    print(f"median of {ROUNDS}: usable after {interactive:.0f} ms, loaded after {loaded:.0f} ms")
    print(f"processor time above that of an empty page: {statistics.median(spent):.2f} s")


def processor_time(file: Path) -> float:
    """Seconds that all processes of the browser spend on opening and drawing a page."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    browse(file, f"--screenshot={file.with_suffix('.png')}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
