"""Exit codes and messages that all verbs share."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_help_lists_the_verbs(run):
    done = run("--help")
    assert done.code == 0
    for verb in ("build", "parse", "plan", "lint", "ps", "prune"):
        assert f"\n    {verb} " in done.out


@pytest.mark.parametrize("verb", ["build", "parse", "plan", "lint", "ps", "prune"])
def test_every_verb_explains_itself(run, verb):
    done = run(verb, "--help")
    assert done.code == 0
    assert done.out.startswith(f"usage: pytest-zlayer {verb} ")


@pytest.mark.parametrize("argv", [[], ["bild"], ["parse"], ["plan", ".", "--targt=x"]])
def test_a_wrong_command_line_is_a_usage_error(run, argv):
    done = run(*argv)
    assert done.code == 2
    assert done.out == ""
    assert "usage: pytest-zlayer" in done.err


@pytest.mark.parametrize(
    "argv",
    [["build", "."], ["ps"], ["prune"]],
)
def test_without_buildah_a_verb_that_needs_it_ends_with_3(run, argv):
    Path("Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    done = run(*argv, "--buildah=/nowhere/buildah", "--root=/nowhere/root")
    assert done.code == 3
    assert done.err.startswith("pytest-zlayer: ")
    assert "Traceback" not in done.err


def test_a_wrong_value_is_reported_with_its_option(run):
    Path("Dockerfile").write_text("FROM scratch\n")
    done = run("build", ".", "--retries=many")
    expected = "--retries: expected a whole number of 0 or more, not 'many'"
    assert (done.code, done.err) == (2, f"pytest-zlayer: {expected}\n")


def test_a_wrong_value_in_the_environment_names_the_variable(run, monkeypatch):
    monkeypatch.setenv("ZLAYER_PLATFORM", " ")
    done = run("plan", ".")
    expected = "ZLAYER_PLATFORM in the environment: expected some text, not ' '"
    assert (done.code, done.err) == (2, f"pytest-zlayer: {expected}\n")


def test_it_runs_as_a_module(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    argv = [sys.executable, "-m", "pytest_zlayer", "parse", "Dockerfile"]
    done = subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == "stage 0\n    1  FROM        scratch\n"


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n" + "LABEL a=b\n" * 20_000)
    argv = [sys.executable, "-m", "pytest_zlayer", "parse", "Dockerfile"]
    with subprocess.Popen(
        argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_version_is_shown(run):
    done = run("--version")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"pytest-zlayer [0-9]+\.[0-9]+\S*\n", done.out)


def by_shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a verb by a line for a shell, in which ``$P`` stands for the program."""
    program = f"{sys.executable} -m pytest_zlayer"
    return subprocess.run(
        ["sh", "-c", line.replace("$P", program)],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("output", "problem"),
    [(">/dev/full", "No space left on device"), (">&-", "standard output is closed")],
)
def test_a_result_that_cannot_be_written_is_said_in_one_line(tmp_path, output, problem):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    done = by_shell(f"$P parse Dockerfile {output}", tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"pytest-zlayer: cannot write the result: {problem}\n"


def test_messages_that_nobody_can_read_stop_nothing(tmp_path):
    assert by_shell("$P parse nosuch 2>&-", tmp_path).returncode == 2


def test_a_working_directory_that_is_gone_is_said_in_one_line(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    done = by_shell("rmdir ../gone; $P plan .", folder)
    assert done.returncode == 2
    assert done.stderr == "pytest-zlayer: the working directory has been removed\n"


LONG = "x" * 300


@pytest.mark.parametrize(
    "argv",
    [
        ["lint", LONG],
        ["plan", LONG],
        ["plan", "-f", LONG, "."],
        ["ps", "--remote", f"dir:{LONG}"],
        ["build", "--secret", f"id=a,src={LONG}", "."],
        ["build", "--log-dir", LONG, "."],
    ],
)
def test_a_path_that_the_system_refuses_is_said_in_one_line(run, argv):
    Path("Dockerfile").write_text("FROM scratch\n")
    done = run(*argv)
    assert done.code == 2
    assert re.fullmatch(
        r"pytest-zlayer: .*(File name too long: |--log-dir: expected ).*\n", done.err
    )


def test_characters_that_the_locale_lacks_are_shown_as_python_writes_them(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nMAINTAINER é\n", encoding="utf-8")
    done = by_shell("PYTHONIOENCODING=ascii $P lint Dockerfile", tmp_path)
    assert done.stderr == ""
    assert "    2 | MAINTAINER \\xe9\n" in done.stdout


def test_options_are_called_as_the_verb_calls_them(run):
    done = run("ps", "--buildah", "/nowhere/buildah")
    assert done.code == 3
    assert "hint: check --buildah (ZLAYER_BUILDAH, zlayer_buildah)\n" in done.err
