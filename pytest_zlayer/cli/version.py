"""``--version``: the version that is installed."""

from __future__ import annotations

import argparse
from typing import Any

from pytest_zlayer.cli.output import show


class ShowVersion(argparse.Action):
    """Shows the version and ends; it is looked up only then, which takes its time."""

    def __init__(self, option_strings: list[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Write the version, and end the program."""
        from importlib.metadata import version

        show([f"pytest-zlayer {version('pytest-zlayer')}"])
        parser.exit()
