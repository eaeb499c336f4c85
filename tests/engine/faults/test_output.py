"""Output of any size and of any bytes: its newest part is in the log, little of it in memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_zlayer.builder.model.errors import BuildError
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace

MEGABYTE = 1024 * 1024
LINES = 500_000
# Half a million numbered lines of a hundred bytes, on both streams, then bytes of every kind.
FLOOD = rf"""FROM {BUSYBOX}
RUN awk 'BEGIN {{ for (i = 1; i <= {LINES}; i++) \
        printf "%099d\n", i > (i % 2 ? "/dev/stdout" : "/dev/stderr") }}' && \
    printf 'caf\351 \377\376\n' && head -c 100000 /dev/zero && echo && exit 3
"""


def resident() -> int:
    """Bytes of memory this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def test_the_newest_of_fifty_megabytes_is_in_the_log_and_not_in_memory(
    workspace: Workspace,
) -> None:
    with building(workspace.storage) as builds:
        builds.session._listener = str  # what a listener keeps is its own business
        builds.build(f"FROM {BUSYBOX}\nRUN true\n")
        before = resident()
        with pytest.raises(BuildError) as caught:
            builds.build(FLOOD)
        grown = resident() - before
    error = caught.value
    assert (error.exit_code, len(error.tail)) == (3, 40)
    assert error.log_path is not None
    lines = Path(error.log_path).read_bytes().splitlines(keepends=True)
    numbers = [int(line) for line in lines if re.fullmatch(rb"\d{99}\n", line)]
    for stream in (0, 1):
        written = [number for number in numbers if number % 2 == stream]
        assert written == list(range(written[0], LINES + 1, 2))
    assert 4 * MEGABYTE < Path(error.log_path).stat().st_size < 11 * MEGABYTE
    assert b"caf\351 \377\376\n" in lines
    assert grown < 20 * MEGABYTE  # what the allocator keeps differs from one Python to another


def test_bytes_that_are_no_text_are_in_the_log_as_they_are(workspace: Workspace) -> None:
    text = f"FROM {BUSYBOX}\nRUN printf 'caf\\351 \\377\\376\\000\\n'; printf 'no end'; exit 1\n"
    with building(workspace.storage) as builds, pytest.raises(BuildError) as caught:
        builds.build(text)
    assert caught.value.log_path is not None
    assert b"caf\xe9 \xff\xfe\x00\nno end" in Path(caught.value.log_path).read_bytes()
    assert caught.value.tail == ("caf\ufffd \ufffd\ufffd\0", "no end")


def test_report_of_a_flood_shows_its_end(workspace: Workspace) -> None:
    workspace.project(
        test_it=workspace.building("RUN seq 100000; head -c 3000 /dev/urandom; exit 3")
    )
    output = workspace.pytest("--junit-xml=junit.xml", code=1)
    assert "last 40 lines of its output:" in output
    assert len(output) < 20 * MEGABYTE
    assert (workspace.folder / "project" / "junit.xml").stat().st_size < MEGABYTE


PEAK = """
import resource

def pytest_unconfigure(config):
    print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("arguments", [(), ("--zlayer-progress=quiet",)], ids=["plain", "quiet"])
def test_run_of_pytest_does_not_grow_with_the_output(
    workspace: Workspace, arguments: tuple[str, ...]
) -> None:
    """The test that is run meanwhile keeps the terminal busy, so that lines have to wait."""
    peaks = []
    for lines in (1000, 150_000):
        flood = f"RUN seq {lines} | sed 's/.*/& {'x' * 90}/'"
        first = "import time\ndef test_first():\n    time.sleep(3)\n\n"
        workspace.project(conftest=PEAK, test_it=first + workspace.building(flood))
        output = workspace.pytest("-s", *arguments)
        peaks.append(int(output.partition("PEAK ")[2].split()[0]) * 1024)
    assert peaks[1] - peaks[0] < 8 * MEGABYTE
