"""What was found, in the forms that people and services read."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from pytest_zlayer.dockerfile.errors import Diagnostic, DockerfileError
from pytest_zlayer.dockerfile.lint.check import RULES, examine_text
from pytest_zlayer.dockerfile.lint.code_quality import code_quality
from pytest_zlayer.dockerfile.lint.report import FileReport, github_lines
from pytest_zlayer.dockerfile.lint.sarif import sarif
from pytest_zlayer.dockerfile.source import Span

CASING = "'as' and 'FROM' keywords' casing do not match"
WARNED = 'FROM scratch as a\nCMD ["x"]\n'
STRICT = f"# check=error=true\n{WARNED}"
BROKEN = "FROM scratch\nFOO bar\n"
UNKNOWN = "unknown instruction: FOO (did you mean FROM?)"


def report(text: str, file: str = "./a b/Dockerfile") -> FileReport:
    found = examine_text(text, filename=file)
    return FileReport(file, text, tuple(found.findings), found.error)


@pytest.mark.parametrize(
    ("text", "code"), [("FROM scratch\n", 0), (WARNED, 0), (STRICT, 1), (BROKEN, 2)]
)
def test_the_exit_code_tells_what_stops_a_build(text: str, code: int) -> None:
    assert report(text).exit_code() == code


def test_a_finding_is_shown_with_its_line() -> None:
    (shown,) = report(WARNED).lines()
    assert shown == (
        f"./a b/Dockerfile:1:14: warning: FromAsCasing: {CASING}\n"
        "    1 | FROM scratch as a\n"
        "      |              ^~"
    )
    assert report(STRICT).lines()[0].startswith("./a b/Dockerfile:2:14: error: FromAsCasing: ")


def test_what_stops_a_build_is_shown_last() -> None:
    assert report(BROKEN).lines() == [
        f"./a b/Dockerfile:2:1: {UNKNOWN}\n    2 | FOO bar\n      | ^~~"
    ]
    assert report("FROM scratch\n").lines() == []


def test_as_plain_data() -> None:
    (found,) = report(WARNED).to_dict()["findings"]
    assert found == {
        "name": "FromAsCasing",
        "message": CASING,
        "line": 1,
        "column": 14,
        "end_line": 1,
        "end_column": 16,
        "error": False,
        "doc": report(WARNED).findings[0].doc,
    }
    assert report(STRICT).to_dict()["findings"][0]["error"] is True
    assert report(BROKEN).to_dict() == {
        "file": "./a b/Dockerfile",
        "findings": [],
        "errors": [{"message": UNKNOWN, "line": 2, "column": 1}],
    }


def test_as_annotations_of_github() -> None:
    reports = [report(WARNED), report(STRICT), report(BROKEN, "a:b,c%d")]
    assert list(github_lines(reports)) == [
        "::warning file=./a b/Dockerfile,line=1,endLine=1,col=14,title=FromAsCasing::" + CASING,
        "::error file=./a b/Dockerfile,line=2,endLine=2,col=14,title=FromAsCasing::" + CASING,
        f"::error file=a%3Ab%2Cc%25d,line=2,col=1::{UNKNOWN}",
    ]


def test_line_ends_in_a_message_do_not_end_an_annotation() -> None:
    problem = Diagnostic("50%\r\nmore", Span(1, 2, 1, 3))
    error = DockerfileError([problem], phase="parse", text="abc", filename="f")
    assert list(github_lines([FileReport("f", "abc", (), error)])) == [
        "::error file=f,line=1,col=2::50%25%0D%0Amore"
    ]


def test_as_a_code_quality_report_of_gitlab() -> None:
    first, second, third = code_quality([report(WARNED), report(STRICT), report(BROKEN)])
    same = f"./a b/Dockerfile\0FromAsCasing\0{CASING}\0FROM scratch as a"
    assert first == {
        "description": CASING,
        "check_name": "FromAsCasing",
        "fingerprint": hashlib.sha256(f"{same}\0{1}".encode()).hexdigest(),
        "severity": "minor",
        "location": {"path": "a b/Dockerfile", "lines": {"begin": 1}},
    }
    assert (second["severity"], second["location"]["lines"]) == ("major", {"begin": 2})
    assert second["fingerprint"] == hashlib.sha256(f"{same}\0{2}".encode()).hexdigest()
    assert (third["check_name"], third["description"]) == ("DockerfileError", UNKNOWN)
    assert (third["severity"], third["location"]["lines"]) == ("blocker", {"begin": 2})


def test_a_fingerprint_stays_when_lines_above_come_or_go() -> None:
    moved = report(f"# a comment\n\n{WARNED}")
    (before,), (after,) = code_quality([report(WARNED)]), code_quality([moved])
    assert before["fingerprint"] == after["fingerprint"]
    assert after["location"]["lines"] == {"begin": 3}


def region(line: int, column: int, end_column: int) -> dict[str, Any]:
    return {
        "startLine": line,
        "startColumn": column,
        "endLine": line,
        "endColumn": end_column,
    }


def test_as_sarif() -> None:
    found = sarif([report(WARNED), report(STRICT, "/srv/a b"), report(BROKEN)], "1.2.3")
    assert found["$schema"].endswith("/sarif-schema-2.1.0.json")
    assert found["version"] == "2.1.0"
    (run,) = found["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    rules = driver.pop("rules")
    assert driver == {
        "name": "pytest-zlayer",
        "semanticVersion": "1.2.3",
        "informationUri": "https://pypi.org/project/pytest-zlayer/",
    }
    doc = report(WARNED).findings[0].doc
    assert rules == [
        {"id": "FromAsCasing", "name": "FromAsCasing", "fullDescription": {"text": doc}},
        {"id": "DockerfileError", "name": "DockerfileError"},
    ]
    assert "FromAsCasing" in RULES
    results = [
        ("FromAsCasing", "warning", CASING, "a%20b/Dockerfile", region(1, 14, 16), 0),
        ("FromAsCasing", "error", CASING, "file:///srv/a%20b", region(2, 14, 16), 0),
        ("DockerfileError", "error", UNKNOWN, "a%20b/Dockerfile", region(2, 1, 4), 1),
    ]
    assert run["results"] == [
        {
            "ruleId": rule,
            "level": level,
            "message": {"text": message},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": place}}
            ],
            "ruleIndex": index,
        }
        for rule, level, message, uri, place, index in results
    ]
