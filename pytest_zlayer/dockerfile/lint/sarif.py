"""Findings in SARIF 2.1.0, the format that code scanning services take (OASIS standard)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from pytest_zlayer.dockerfile.lint.report import FileReport
from pytest_zlayer.dockerfile.source import Span

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_UNBUILDABLE = "DockerfileError"


def sarif(reports: Iterable[FileReport], version: str) -> dict[str, Any]:
    """One run with all findings; what stops a build is a result of the rule DockerfileError."""
    results = [result for report in reports for result in _results(report)]
    rules: dict[str, dict[str, Any]] = {}
    for result in results:
        rule: dict[str, Any] = {"id": result["ruleId"], "name": result["ruleId"]}
        doc = result.pop("doc", None)
        if doc:
            rule["fullDescription"] = {"text": doc}
        rules.setdefault(result["ruleId"], rule)
        result["ruleIndex"] = list(rules).index(result["ruleId"])
    driver = {
        "name": "pytest-zlayer",
        "semanticVersion": version,
        "informationUri": "https://pypi.org/project/pytest-zlayer/",
        "rules": list(rules.values()),
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _results(report: FileReport) -> Iterator[dict[str, Any]]:
    for one in report.findings:
        level = "error" if one.is_error else "warning"
        result = _result(one.name, level, one.message, _location(report.file, one.span))
        yield {**result, "doc": one.doc}
    for problem in report.errors:
        location = _location(report.file, problem.span)
        yield _result(_UNBUILDABLE, "error", problem.message, location)


def _result(rule: str, level: str, message: str, location: dict[str, Any]) -> dict[str, Any]:
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": location}],
    }


def _location(file: str, span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"artifactLocation": {"uri": _uri(file)}, "region": region}


def _uri(file: str) -> str:
    path = PurePosixPath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
