"""Inputs that are large or built to hurt; benchmarks/parse.py tells how long they take."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile import DockerfileError, Env, Run, ShellForm, parse


def test_many_continuation_lines() -> None:
    (run,) = parse("FROM a\nRUN a\\\n" + "b\\\n" * 20_000 + "c").instructions[1:]
    assert isinstance(run, Run)
    assert run.command == ShellForm("a" + "b" * 20_000 + "c")
    assert run.span.end_line == 20_003


def test_many_instructions() -> None:
    assert len(parse("FROM a\n" + "RUN x\n" * 2_000).instructions) == 2_001


def test_many_pairs() -> None:
    (env,) = parse("FROM a\nENV " + " \\\n".join(["a=b"] * 5_000)).instructions[1:]
    assert isinstance(env, Env)
    assert env.pairs[-1].name.span.line == 5_001


def test_a_long_heredoc() -> None:
    body = "line\n" * 20_000
    (run,) = parse(f"FROM a\nRUN <<E\n{body}E\n").instructions[1:]
    assert run.heredocs[0].content == body


def test_a_line_of_a_megabyte() -> None:
    (run,) = parse("FROM a\nRUN " + "x" * 1_000_000).instructions[1:]
    assert len(run.args[0].value) == 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "ENV a=" + "'\"" * 50_000,
        'ENV a="' + "\\" * 100_000 + '"',
        "ARG --a=" + "'\"" * 45_000 + " b",
        "RUN <<E " + "${a:-" * 20_000 + "}" * 20_000 + "\nE",
        "RUN <<E " + '"${a:-' * 20_000 + '}"' * 20_000 + "\nE",
        "RUN " + "<" * 100_000,
        "CMD " + "[" * 100_000 + "]" * 100_000,
        "# escape=" + " " * 100_000 + "x",
        "RUN " + " " * 100_000 + "x",
    ],
    ids=["quotes", "backslashes", "flags", "braces", "quoted braces", "less", "brackets",
         "directive", "spaces"],
)  # fmt: skip
def test_bombs_do_no_harm(text: str) -> None:
    assert len(parse(f"FROM a\n{text}").instructions) <= 2


def test_many_errors() -> None:
    with pytest.raises(DockerfileError) as refused:
        parse("FROM a\n" + "FOO x\nCOPY x\n" * 1_000)
    assert len(refused.value.diagnostics) == 2_000
