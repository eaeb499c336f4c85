"""What every test of this repository may use."""

from __future__ import annotations

import signal

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    """Give the tests the signals they send, even below nohup or in a script's background.

    Whatever is started there ignores SIGHUP or SIGINT, and so do all its children.
    """
    for number, handler in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
