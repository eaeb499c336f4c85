"""What every test of this repository may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parent / "tests"
ENGINE = TESTS / "engine"
# What starts a browser, draws on a terminal, runs an example's whole suite, builds the wheel or
# installs a Debian.
SLOW_FILES = {
    ENGINE / "test_debian.py",
    TESTS / "pytester" / "output" / "test_live.py",
    TESTS / "report" / "html" / "test_page.py",
    TESTS / "test_example.py",
    TESTS / "test_example_distribution.py",
    TESTS / "test_wheel.py",
}
# The files whose tests share what is slow to make.
TOGETHER = ("tests/engine/", "tests/test_wheel.py", "tests/report/html/")


def pytest_configure() -> None:
    """Give the tests the signals they send, even below nohup or in a script's background.

    Whatever is started there ignores SIGHUP, or SIGINT and SIGQUIT, and so do all its children.
    """
    for number, handler in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """What tests of an engine share is made once a file: one worker runs all tests of the file.

    The other tests are distributed one by one. They come last, while the largest files end.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return path if path.startswith(TOGETHER) else nodeid

    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep one slow test in N, so that the suite can run on many versions of Python.

    ``ZLAYER_TEST_PART=11/8`` keeps every eighth test of the slow suites, which have folders of
    their own below tests/engine, and of the slow files, and every second one of the other tests
    in tests/engine; ``12/8`` keeps others.
    """
    number, _, of = os.environ.get("ZLAYER_TEST_PART", "").partition("/")
    if of:
        slow = [item for item in items if _is_slow(item.path)]
        core = [item for item in items if item.path.parent == ENGINE and not _is_slow(item.path)]
        kept = {*_every(int(of), slow, int(number)), *_every(int(of) // 4, core, int(number))}
        left_out = {*slow, *core} - kept
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _is_slow(path: Path) -> bool:
    return ENGINE in path.parent.parents or path in SLOW_FILES


def _every(step: int, items: list[pytest.Item], number: int) -> list[pytest.Item]:
    return items[number % max(step, 1) :: max(step, 1)]
