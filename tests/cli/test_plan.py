"""``plan``: stages, what they need, and which the target needs."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

TEXT = """\
ARG BASE=scratch
FROM $BASE AS build
FROM scratch AS unused
FROM scratch AS runtime
COPY --from=build / /
FROM runtime
"""


@pytest.fixture(autouse=True)
def _context(run):
    folder = Path("api")
    folder.mkdir()
    (folder / "Dockerfile").write_text(TEXT)


def test_stages_are_shown_with_what_they_need(run):
    done = run("plan", "api")
    assert done.code == 0
    assert done.out == (
        "api: api/Dockerfile\n"
        "   build: FROM scratch\n"
        "   unused: FROM scratch  (not needed)\n"
        "   runtime: FROM scratch, copies from build\n"
        " * stage-3: FROM runtime\n"
    )


def test_target_and_build_args_change_the_plan(run):
    done = run("plan", "api", "--target=build", "--build-arg", "BASE=alpine:3")
    assert "* build: FROM alpine:3\n" in done.out


def test_a_build_arg_without_a_value_is_taken_from_the_environment(run, monkeypatch):
    monkeypatch.setenv("BASE", "debian:12")
    assert "build: FROM debian:12\n" in run("plan", "api", "--build-arg", "BASE").out
    monkeypatch.delenv("BASE")
    assert "build: FROM scratch\n" in run("plan", "api", "--build-arg", "BASE").out


def test_json_names_the_stages_the_target_needs(run):
    found = json.loads(run("plan", "api", "--json").out)
    assert [(one["name"], one["needed"]) for one in found["stages"]] == [
        ("build", True),
        ("unused", False),
        ("runtime", True),
        (None, True),
    ]


@pytest.mark.parametrize("file", ["other.Dockerfile", "api/inner.Dockerfile", "inner.Dockerfile"])
def test_a_dockerfile_is_looked_for_here_and_then_in_the_context(run, file):
    path = Path("api/inner.Dockerfile") if "inner" in file else Path(file)
    path.write_text("FROM scratch AS chosen\n")
    assert " * chosen: FROM scratch\n" in run("plan", "api", "-f", file).out


@pytest.mark.parametrize("argv", [["-"], ["api", "-f", "-"]])
def test_a_dockerfile_can_come_from_standard_input(run, monkeypatch, argv):
    stdin = io.TextIOWrapper(io.BytesIO(b"FROM scratch AS read\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert " * read: FROM scratch\n" in run("plan", *argv).out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere"], "no such build context: 'nowhere'\nhint: looked for nowhere"),
        (["-", "-f", "x"], "a context of - is the Dockerfile itself: leave --file out"),
        (
            ["api", "--target=runtme"],
            (
                'api/Dockerfile:4:17: target stage "runtme" could not be found '
                "(did you mean runtime?)\n"
                "    4 | FROM scratch AS runtime\n"
                "      |                 ^~~~~~~\n"
                "hint: stages that can be targets: build, unused, runtime"
            ),
        ),
    ],
)
def test_mistakes_are_reported(run, argv, message):
    done = run("plan", *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"pytest-zlayer: {message}\n"
