"""What every test of this repository may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ENGINE = Path(__file__).parent / "tests" / "engine"


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the slow suites below tests/engine, keep one test in N when told to.

    ``ZLAYER_TEST_PART=11/8`` keeps every eighth test, another one than ``12/8`` does: the suite
    runs on several versions of Python, which do not all have to run everything.
    """
    number, _, of = os.environ.get("ZLAYER_TEST_PART", "").partition("/")
    if of:
        slow = [item for item in items if ENGINE in item.path.parent.parents]
        kept = set(slow[int(number) % int(of) :: int(of)])
        left_out = set(slow) - kept
        config.hook.pytest_deselected(items=[item for item in slow if item in left_out])
        items[:] = [item for item in items if item not in left_out]
