"""Build checks against what BuildKit's own linter found on 2,000 generated Dockerfiles."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.dockerfile.lint.check import examine_text
from pytest_zlayer.dockerfile.values.platforms import Platform

AMD = Platform("linux", "amd64")
VECTORS = Path(__file__).parents[1] / "vectors" / "files.jsonl"


@pytest.fixture(scope="module")
def files() -> list[dict[str, Any]]:
    lines = VECTORS.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def verdict(file: dict[str, Any]) -> str:
    """How our findings on one file compare with BuildKit's.

    BuildKit's are recorded as the set of rule and line, without messages.
    """
    report = examine_text(file["text"], build_platform=AMD)
    found = {(one.name, one.span.line) for one in report.findings}
    if found != {(rule, line) for rule, line in file["lint"]}:
        return f"other findings: {file['text']!r}"
    phase = report.error.phase if report.error else None
    # The record ends before stages are resolved, so later errors are not in it.
    if (phase if phase in ("parse", "instruction") else None) != file.get("error", {}).get("phase"):
        return f"an error of another phase: {file['text']!r}"
    found_some = "same findings" if found else "no findings"
    return f"{found_some} up to the {phase} phase" if phase else found_some


def test_all_files_agree(files: list[dict[str, Any]]):
    assert Counter(verdict(file) for file in files) == {
        "same findings": 143,
        "no findings": 113,
        "no findings up to the parse phase": 173,
        "no findings up to the instruction phase": 1157,
        "same findings up to the instruction phase": 313,
        "no findings up to the graph phase": 7,
        "same findings up to the graph phase": 15,
        "no findings up to the dispatch phase": 49,
        "same findings up to the dispatch phase": 30,
    }
