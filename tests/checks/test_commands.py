"""Assertions on commands and what they say when they fail."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_zlayer import RunResult
from pytest_zlayer.checks.commands import NOT_FOUND, shown_command
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from tests.checks.subject import failure, make


def test_what_ends_as_expected_passes(tmp_path: Path) -> None:
    subject = make(tmp_path, {}, ended=RunResult(3, "out\n", "err\n", 0.1))
    subject.assert_runs(["x"], exit_code=3, stdout="out\n", stderr=re.compile("^e"), user="app")
    subject.assert_runs("x", exit_code=None)
    assert subject.asked[0] == (["x"], {"user": "app", "check": False})


def test_an_exit_code_is_reported_with_what_was_written(tmp_path: Path) -> None:
    subject = make(tmp_path, {}, ended=RunResult(1, "out\n", "no such user\n", 0.1))
    assert failure(subject.assert_runs, ["id", "x y"]) == (
        "id 'x y' in api: exited with 1, expected 0\n"
        "  stdout:\n"
        "    out\n"
        "  stderr:\n"
        "    no such user"
    )


def test_commands_are_shown_as_people_type_them() -> None:
    assert shown_command(["echo", "a b"]) == "echo 'a b'"
    assert shown_command("echo $A") == "'echo $A'"
    assert shown_command(None) == "the command of the image"


def test_output_is_reported_as_a_difference(tmp_path: Path) -> None:
    subject = make(tmp_path, {}, ended=RunResult(0, "app\n", "", 0.1))
    assert failure(subject.assert_runs, ["id"], stdout="root\n") == (
        "id in api: stdout is not as expected:\n"
        "  --- expected\n"
        "  +++ found\n"
        "  @@ -1 +1 @@\n"
        "  -root\n"
        "  +app"
    )
    reported = failure(subject.assert_runs, ["id"], stdout=re.compile("root"))
    assert reported == "id in api: stdout does not match 'root'; it is:\n    app"
    reported = failure(subject.assert_runs, ["id"], stderr="x")
    assert "-x" in reported


def test_a_program_that_is_not_there_is_reported_with_those_that_are_near(tmp_path: Path) -> None:
    config = ImageConfig(env={"PATH": "/bin:/none"})
    files = {"bin/python3": "", "bin/sh": ""}
    subject = make(
        tmp_path, files, config=config, ended=RunResult(NOT_FOUND, "", "not found\n", 0.1)
    )
    reported = failure(subject.assert_runs, ["python", "-V"])
    assert reported.splitlines()[-2:] == ["  no python on PATH", "  near: python3"]
    assert "no python" not in failure(subject.assert_runs, "python -V")
