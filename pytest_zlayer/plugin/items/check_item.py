"""An item that checks something and tells its problems without a traceback."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_zlayer.plugin.state import state_of


class Problems(Exception):
    """What a check has found, line by line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class CheckItem(pytest.Item):
    """One check.

    Attributes:
        line: where it stands in its file, from 1.
        annotations: what GitHub Actions shows beside the lines of a file, as commands.
    """

    line: int = 1
    annotations: tuple[str, ...] = ()

    def problems(self) -> list[str]:
        """What is wrong; nothing when all is well."""
        raise NotImplementedError

    def runtest(self) -> None:
        """Check."""
        found = self.problems()
        if found:
            raise Problems(found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The problems as they are; anything else as pytest shows it."""
        if isinstance(excinfo.value, Problems):
            return state_of(self.config).clean(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int, str]:
        """Where it stands, and what it is called."""
        return self.path, self.line - 1, self.name
