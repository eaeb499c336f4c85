"""Parser directives, and where they end."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile import DockerfileError, parse


def error_of(text: str) -> str:
    with pytest.raises(DockerfileError) as refused:
        parse(text)
    assert refused.value.phase == "parse"
    return str(refused.value)


def test_without_directives_there_are_defaults() -> None:
    dockerfile = parse("FROM a")
    assert (dockerfile.escape, dockerfile.syntax, dockerfile.check) == ("\\", None, None)


@pytest.mark.parametrize(
    "line",
    [
        "# escape=`",
        "#escape=`",
        "  # escape=`",
        "#\t ESCAPE \t= \t`  ",
        "# Escape=`\r",
        "#\u00a0escape=`",
    ],
)
def test_the_escape_directive_is_read(line: str) -> None:
    assert parse(f"{line}\nFROM a").escape == "`"


def test_all_directives_may_stand_together() -> None:
    dockerfile = parse("# check=skip=all\n# syntax=docker/dockerfile:1 x\n# escape=`\nFROM a")
    assert dockerfile.check == "skip=all"
    assert dockerfile.syntax == "docker/dockerfile:1 x"
    assert dockerfile.escape == "`"


@pytest.mark.parametrize(
    "before",
    ["", "   ", "#", "# a comment", "# unknown=1", "# escape=", "#!/bin/sh", "ARG a"],
)
def test_the_first_other_line_ends_them(before: str) -> None:
    assert parse(f"{before}\n# escape=`\nFROM a").escape == "\\"


def test_an_unknown_directive_is_a_comment() -> None:
    assert parse("# parser=1\nFROM a").instructions[0].comments == ("parser=1",)


def test_the_escape_directive_changes_continuations() -> None:
    dockerfile = parse("# escape=`\nFROM a\nCOPY C:\\ `\n  x\\\nRUN y")
    assert [word.value for word in dockerfile.instructions[1].args] == ["C:\\", "x\\"]


def test_the_escape_directive_changes_flags() -> None:
    (copy,) = parse("# escape=`\nFROM a\nCOPY --chown=a` b\\c x y").instructions[1:]
    assert [str(flag) for flag in copy.flags] == ["--chown=a b\\c"]


def test_the_escape_directive_changes_words() -> None:
    (env,) = parse("# escape=`\nFROM a\nENV a=b` c d=C:\\").instructions[1:]
    assert [word.value for word in env.args] == ["a", "b` c", "d", "C:\\"]


def test_the_escape_directive_does_not_change_heredocs() -> None:
    (run,) = parse("# escape=`\nFROM a\nRUN cat \\<<EOF").instructions[1:]
    assert run.heredocs == ()


def test_a_repeated_directive_is_refused() -> None:
    assert error_of("# escape=`\n#  Escape=\\\nFROM a") == (
        "Dockerfile:2:4: only one escape parser directive can be used\n"
        "    2 | #  Escape=\\\n"
        "      |    ^~~~~~"
    )


def test_a_repeated_comment_is_none() -> None:
    assert parse("# syntax=a\n\n# syntax=b\nFROM a").syntax == "a"


@pytest.mark.parametrize("value", ["x", "``", "` foo", "\\\\"])
def test_another_escape_character_is_refused(value: str) -> None:
    first = error_of(f"# escape={value}\nFROM a").splitlines()[0]
    assert first == f"Dockerfile:1:10: invalid escape token '{value}' does not match ` or \\"


@pytest.mark.parametrize("line", [" # check=skip=all", "# check=", "# checks=x"])
def test_the_check_directive_counts_in_the_first_column_only(line: str) -> None:
    assert parse(f"{line}\nFROM a").check is None


def test_the_check_directive_ends_at_its_first_space() -> None:
    assert parse("# check=skip=A, B\nFROM a").check == "skip=A,"


def test_a_shebang_hides_neither_check_nor_syntax() -> None:
    dockerfile = parse("#!/usr/bin/env x\n# syntax=a\n# check=error=true\n# escape=`\nFROM a")
    assert (dockerfile.syntax, dockerfile.check) == ("a", "error=true")
    assert dockerfile.escape == "\\"
