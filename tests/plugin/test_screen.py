"""What is shown while the main thread waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pytest_zlayer.plugin.progress.screen import Screen
from tests.interruptions import interruptions


def test_lines_wait_again_wherever_waiting_is_interrupted() -> None:
    manager = SimpleNamespace(get_plugin=lambda _: None)
    config: Any = SimpleNamespace(pluginmanager=manager)
    screen = Screen(config, None, always=False)

    def wait() -> None:
        with screen.live():
            assert screen._waiting

    for where in interruptions(wait):
        assert not screen._waiting, where
