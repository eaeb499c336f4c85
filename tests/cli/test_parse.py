"""``parse``: the instructions of a Dockerfile."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from pytest_zlayer.dockerfile import parse

TEXT = """\
ARG V=1
FROM alpine:$V AS build
RUN --network=none ["make", "all"]
COPY <<EOF /etc/motd
hello
EOF
FROM build
"""


def test_instructions_are_shown_stage_by_stage(run):
    Path("Dockerfile").write_text(TEXT)
    done = run("parse", "Dockerfile")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "    1  ARG         V=1\n"
        "stage 0 (build)\n"
        "    2  FROM        alpine:$V AS build\n"
        '    3  RUN         --network=none ["make", "all"]\n'
        "    4  COPY        <<EOF /etc/motd (EOF: 6 characters)\n"
        "stage 1\n"
        "    7  FROM        build\n"
    )


def test_json_is_what_the_library_gives(run):
    Path("Dockerfile").write_text(TEXT)
    done = run("parse", "Dockerfile", "--json")
    assert json.loads(done.out) == parse(TEXT).to_dict()


def test_a_file_can_come_from_standard_input(run, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(b"FROM scratch\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run("parse", "-").out == "stage 0\n    1  FROM        scratch\n"


def test_a_syntax_error_shows_the_line(run):
    Path("Dockerfile").write_text("FROM scratch\nRUNN make\n")
    done = run("parse", "Dockerfile")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "pytest-zlayer: Dockerfile:2:1: unknown instruction: RUNN (did you mean RUN?)\n"
        "    2 | RUNN make\n"
        "      | ^~~~\n"
    )


def test_a_file_that_is_not_there_is_reported(run):
    done = run("parse", "nowhere")
    assert done.code == 2
    assert done.err == "pytest-zlayer: cannot read nowhere: No such file or directory\n"
