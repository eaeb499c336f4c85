"""Live progress on a terminal: what the screen shows while something is built, and afterwards."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.outer import outer_environment

ROWS, COLUMNS = 30, 90
PYTEST = ("pytest", "-p", "standin", "-p", "no:hypothesispytest")
HERE = Path(__file__).parents[1]
TESTS = r"""
    import pytest

    def test_first():
        print("written by a test")

    @pytest.mark.image(text="FROM scratch\nRUN slow\nRUN make", name="api")
    def test_api(zlayer_image):
        pass

    @pytest.mark.image(text="FROM scratch\nRUN slow\nRUN make", name="web", build_args={"A": "1"})
    def test_web(zlayer_image):
        pass
"""
# A drawing of the block begins by erasing the one before.
DRAWING = re.compile(rb"(?=\x1b\[J)")
CUT = "…".encode()
END = re.compile(r"zlayer: 2 images: 2 built in .*; nothing left")


class Terminal:
    """A run of pytest, or of another module, on a terminal of our own.

    Attributes:
        seen: each picture of the screen that was different from the one before.
        raw: what was written.

    Steps that are slow go on until the end is waited for, so that there is time to see them.
    """

    def __init__(
        self,
        folder: Path,
        *args: str,
        columns: int = COLUMNS,
        program: tuple[str, ...] = PYTEST,
        **variables: str,
    ) -> None:
        self._hold = folder.with_name(f"{folder.name}-hold")
        self._hold.touch()
        own = {"TERM": "xterm-256color", "STANDIN_HOLD": str(self._hold)}
        environment = {**outer_environment(), **own, **variables}
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", *program, *args],
            dimensions=(ROWS, columns),
            cwd=str(folder),
            env=environment,
            timeout=120,
        )
        self.screen = pyte.Screen(columns, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._unread: list[bytes] = []
        self._narrower: int | None = None
        self.seen: list[str] = []
        self.raw = b""

    def make_narrower(self, columns: int) -> None:
        """Make the terminal narrower; the screen is with the first line that is cut for that.

        What was drawn before, for the width of then, may still be on its way.
        """
        self._child.setwinsize(ROWS, columns)
        self._narrower = columns

    def text(self) -> str:
        """What the screen shows now."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, *words: str, below: str = "") -> None:
        """Read on until the screen shows these words, with ``below`` above them."""
        while not self._shows(words, below):
            assert self._read(), f"{words!r} never came:\n{self.text()}"

    def _shows(self, words: tuple[str, ...], below: str) -> bool:
        _, found, rest = self.text().partition(below) if below else ("", "", self.text())
        return found == below and all(one in rest for one in words)

    def end(self) -> str:
        """Read to the end; what the screen shows then."""
        self._hold.unlink()
        while self._read():
            pass
        return self.text()

    def kill(self) -> None:
        """Kill what runs there."""
        self._child.kill(signal.SIGKILL)

    def _read(self) -> bool:
        """Take what was written next, no more than one drawing: several may come at once."""
        if not self._unread:
            try:
                data = self._child.read_nonblocking(65536, timeout=60)
            except pexpect.EOF:
                return False
            self.raw += data
            self._unread = DRAWING.split(data)
        part = self._unread.pop(0)
        if self._narrower is not None and CUT in part:
            self.screen.resize(ROWS, self._narrower)
            self._narrower = None
        self._stream.feed(part)
        if not self.seen or self.seen[-1] != self.text():
            self.seen.append(self.text())
        return True


@pytest.fixture
def terminal(project, monkeypatch):
    project.pytester.makepyfile(test_it=TESTS)

    def start(*args: str, **more):
        return Terminal(project.path, *args, **more)

    return start


def _blocks(terminal: Terminal) -> list[str]:
    return [text for text in terminal.seen if "images done" in text]


@pytest.mark.parametrize("flags", [[], ["-v"], ["-s"], ["--capture=sys"]], ids=" ".join)
def test_what_is_built_stands_below_pytests_lines_and_is_gone_afterwards(terminal, flags):
    run = terminal(*flags)
    run.until("RUN slow | half of it is done")
    shown = run.text().splitlines()
    start = next(at for at, line in enumerate(shown) if "images done" in line)
    assert re.fullmatch(r"zlayer: \d of 2 images done, \d+ s", shown[start])
    assert re.fullmatch(
        r" +\d+\.\d s (api|web) stage-0 2/3 RUN slow \| half of it is done", shown[start + 1]
    )
    assert shown[start + 2 :] == []
    end = run.end()
    assert "images done" not in end
    assert "half of it" not in end
    assert END.search(end)
    assert re.search(r"zlayer: api: stage-0 2/3 RUN slow: done in 0\.2s", end)
    assert "3 passed" in end.splitlines()[-1]


def test_under_xdist_the_controller_shows_the_builds_of_all_workers_while_they_happen(terminal):
    run = terminal("-n2")
    run.until("[gw0] ", "[gw1] ", below="images done")
    end = run.end()
    assert END.search(end)
    assert "images done" not in end
    assert "3 passed" in end.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (["-q"], {}),
        (["--zlayer-progress=quiet"], {}),
        ([], {"TERM": "dumb"}),
        ([], {"CI": "true"}),
    ],
    ids=["-q", "quiet", "dumb", "CI"],
)
def test_where_nobody_looks_or_nothing_can_be_moved_there_is_no_block(terminal, flags, variables):
    run = terminal(*flags, **variables)
    assert END.search(run.end())
    assert _blocks(run) == []
    assert b"\x1b[J" not in run.raw
    plain = "RUN slow" in run.text()
    assert plain is bool(variables)


def test_no_color_leaves_the_block_without_colours(terminal):
    run = terminal(NO_COLOR="1")
    run.until("images done")
    run.end()
    assert re.findall(rb"\x1b\[[0-9;]*m", run.raw.partition(b"images done")[2]) == []


def test_a_narrow_terminal_gets_short_lines(terminal):
    run = terminal(columns=40)
    run.until("RUN slow", "…", below="images done")
    block = run.text().partition("images done")[2].splitlines()
    assert max(map(len, block)) <= 39
    assert block[-1].endswith("…")
    assert "images done" not in run.end()


def test_a_terminal_that_becomes_narrower_is_left_clean(terminal):
    run = terminal()
    run.until("RUN slow | half")
    run.make_narrower(50)
    run.until("…")
    end = run.end()
    assert "images done" not in end
    assert "3 passed" in end
