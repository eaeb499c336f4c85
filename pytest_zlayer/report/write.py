"""Writing a report into a file: as a page or as data, by its name."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from pytest_zlayer.lazy import LOADING
from pytest_zlayer.report.model import Run


def python_text() -> str:
    """The version of Python, and the machine it runs on."""
    machine = os.uname()  # ``platform.platform`` starts a process
    return f"{platform.python_version()} ({machine.sysname}-{machine.release}-{machine.machine})"


def write_report(path: Path, run: Run, shown: Path | str) -> str:
    """Write the report of a run to ``NAME.html`` or ``NAME.json``; what became of that."""
    if path.suffix == ".json":
        with LOADING:
            from pytest_zlayer.report.json_file import to_json

        text = to_json(run)
    else:
        with LOADING:
            from pytest_zlayer.report.html.page import page

        text = page([run])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        return f"cannot write {shown}: {problem.strerror}"
    return f"report: {shown}"
