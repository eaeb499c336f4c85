"""What GitHub Actions and GitLab read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.report.ci import annotation, job_summary, logs, mistake, notices
from pytest_zlayer.report.ci_service import harmless, service_of

from .runs import sample

GOLDEN = Path(__file__).with_name("golden")


def golden(name: str) -> str:
    return (GOLDEN / name).read_bytes().decode("utf-8")


def test_the_lines_for_github():
    run = sample().run()
    lines = [*notices(run), *logs(run, "github")]
    assert "\n".join(lines) + "\n" == golden("github.txt")


def test_the_table_for_github():
    assert job_summary(sample().run()) == golden("github-summary.md")


def test_the_sections_for_gitlab():
    lines = logs(sample().run(), "gitlab", now=1_700_000_000)
    assert "\n".join(lines) + "\n" == golden("gitlab.txt")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "\u200b::error::x"),
        ("  ::set-output name=a::b", "  \u200b::set-output name=a::b"),
        ("fine\n\t::stop-commands::x", "fine\n\t\u200b::stop-commands::x"),
        ("a ##[error]x", "a #\u200b#[error]x"),
        ("\x1b[0Ksection_start:1:x\r\x1b[0Kx", "[0Ksection_start\u200b:1:x[0Kx"),
        ("std::vector", "std::vector"),
    ],
)
def test_text_of_builds_is_no_command(text, shown):
    assert harmless(text) == shown


def test_values_cannot_end_a_command():
    assert annotation("error", "100%\nno", file="a,b:c", line=1) == (
        "::error file=a%2Cb%3Ac,line=1::100%25%0Ano"
    )


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "api/Dockerfile:3:6: unknown instruction: RUM\n    3 | RUM x\n      | ^^^",
            "::error file=api/Dockerfile,line=3,col=6::unknown instruction: RUM",
        ),
        (
            "/work/repo/api/Dockerfile:3:6: unknown instruction",
            "::error file=api/Dockerfile,line=3,col=6::unknown instruction",
        ),
        (
            "no such build context: 'nowhere'\nhint: looked for nowhere",
            (
                "::error file=test_it.py,line=7::no such build context: 'nowhere'%0A"
                "hint: looked for nowhere"
            ),
        ),
    ],
)
def test_a_mistake_stands_where_it_was_made(message, line):
    assert mistake(message, ("test_it.py", 7), "/work/repo") == line


@pytest.mark.parametrize(
    ("environment", "service"),
    [
        ({}, None),
        ({"CI": "true"}, None),
        ({"GITHUB_ACTIONS": "true"}, "github"),
        ({"GITLAB_CI": "true"}, "gitlab"),
    ],
)
def test_which_service_it_is(environment, service):
    assert service_of(environment) == service
