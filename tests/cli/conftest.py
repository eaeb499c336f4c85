"""The command line, run inside this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_zlayer.cli import main


@dataclass(frozen=True)
class Done:
    """How a verb ended and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a verb in an empty folder, without options from the environment."""
    for name in [name for name in os.environ if name.startswith("ZLAYER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run_verb(*argv: str) -> Done:
        code = main(argv)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run_verb
