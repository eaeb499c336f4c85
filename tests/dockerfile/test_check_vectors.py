"""Build checks against what BuildKit's own linter found on 2,000 generated Dockerfiles."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.dockerfile.checks import examine
from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.dockerfile.parser import parse
from pytest_zlayer.dockerfile.platforms import Platform

AMD = Platform("linux", "amd64")
VECTORS = Path(__file__).parent / "vectors" / "files.jsonl"


@pytest.fixture(scope="module")
def files() -> list[dict[str, Any]]:
    lines = VECTORS.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def verdict(file: dict[str, Any]) -> str:
    """How our findings on one file compare with BuildKit's.

    BuildKit's are recorded as the set of rule and line, without messages.
    """
    try:
        dockerfile = parse(file["text"])
    except DockerfileError as error:
        # Classes of difference: a file that cannot be parsed has no instructions to check, where
        # BuildKit still tells what it had found up to the error.
        wanted = file.get("error", {}).get("phase")
        return "not parsed" if error.phase == wanted else f"{error.phase} error, not {wanted}"
    if "error" in file:
        return "parsed, unlike BuildKit"
    report = examine(dockerfile, build_platform=AMD)
    found = {(one.name, one.span.line) for one in report.findings}
    if found != {(rule, line) for rule, line in file["lint"]}:
        return f"other findings: {file['text']!r}"
    if report.error is None:
        return "same findings"
    # The record ends before stages are resolved, so the error itself is not in it.
    return f"same findings up to a {report.error.phase} error"


def test_all_files_agree(files: list[dict[str, Any]]):
    assert Counter(verdict(file) for file in files) == {
        "not parsed": 1643,
        "same findings": 256,
        "same findings up to a graph error": 22,
        "same findings up to a dispatch error": 79,
    }
