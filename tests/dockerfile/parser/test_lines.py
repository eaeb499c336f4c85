"""Physical lines, comments and continuations (Dockerfile reference, "Format")."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile import DockerfileError, Instruction, Run, ShellForm, Span, parse


def instructions(text: str | bytes) -> tuple[Instruction, ...]:
    return parse(text).instructions[1:]


def commands(text: str) -> list[str]:
    """The shell text of each RUN after the FROM."""
    runs = [one for one in parse(text).instructions if isinstance(one, Run)]
    return [run.command.text for run in runs if isinstance(run.command, ShellForm)]


def run(*lines: str) -> list[str]:
    return commands("\n".join(("FROM a", *lines)))


def test_a_byte_order_mark_is_dropped() -> None:
    assert parse(b"\xef\xbb\xbfFROM a").instructions[0].span == Span(1, 1, 1, 7)


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert parse(b"# caf\xe9\nFROM a").instructions[0].comments == ("caf\ufffd",)


def test_crlf_ends_lines() -> None:
    assert run("RUN a \\\r", "  b\r", "RUN c\r") == ["a   b", "c"]


def test_several_carriage_returns_at_the_end_go_away() -> None:
    assert run("RUN a\r\r\r") == ["a"]


def test_a_carriage_return_inside_a_line_is_white_space() -> None:
    assert run("RUN\ra\rb") == ["a\rb"]


def test_blank_lines_and_comments_are_skipped() -> None:
    assert run("", "  # RUN no", "\u00a0\u3000", "\tRUN a", "#RUN b") == ["a"]


def test_there_are_no_trailing_comments() -> None:
    assert run("RUN a # b") == ["a # b"]


@pytest.mark.parametrize("after", ["", " ", "\t", " \t "])
def test_an_escape_character_and_blanks_at_the_end_continue_a_line(after: str) -> None:
    assert run(f"RUN a\\{after}", "b") == ["ab"]


def test_a_no_break_space_after_the_escape_character_does_not_continue() -> None:
    assert run("RUN a\\\u00a0", "RUN b") == ["a\\", "b"]


@pytest.mark.parametrize("escapes", ["\\\\", "\\\\\\"])
def test_two_or_more_escape_characters_do_not_continue(escapes: str) -> None:
    assert run(f"RUN a {escapes}", "RUN b") == [f"a {escapes}", "b"]


def test_white_space_before_the_next_part_is_kept() -> None:
    assert run("RUN a \\", "\t  b") == ["a \t  b"]


def test_comments_inside_a_continuation_are_dropped() -> None:
    assert run("RUN a \\", "# no", "   # no \\", "b") == ["a b"]


def test_a_blank_line_inside_a_continuation_is_dropped_and_noted() -> None:
    (instruction,) = instructions("FROM a\nRUN a \\\n  \n\n b")
    assert isinstance(instruction, Run)
    assert instruction.command == ShellForm("a  b")
    assert instruction.empty_continuation


def test_an_ordinary_continuation_has_no_blank_line() -> None:
    assert not instructions("FROM a\nRUN a \\\n b")[0].empty_continuation


def test_the_end_of_the_file_ends_a_continuation() -> None:
    assert run("RUN a \\") == ["a"]


def test_a_lone_escape_character_at_the_start_continues() -> None:
    assert run("\\", "RUN a") == ["a"]


@pytest.mark.parametrize(
    "lines",
    [("RU\\", "N x"), ("R\\", "U\\", "N x"), ("RUN \\", "x")],
)
def test_a_keyword_may_be_split(lines: tuple[str, ...]) -> None:
    assert run(*lines) == ["x"]


def test_a_flag_may_be_split() -> None:
    (copy,) = instructions("FROM a\nCOPY --fr\\\nom=a x y")
    assert [str(flag) for flag in copy.flags] == ["--from=a"]


def test_a_json_string_may_be_split() -> None:
    (cmd,) = instructions('FROM a\nCMD ["a\\\nb"]')
    assert [word.value for word in cmd.args] == ["ab"]


def test_an_instruction_covers_all_lines_it_consumes() -> None:
    (first,) = instructions("FROM a\n\\\n # c\n\n RUN a \\\n b \\\n# end")
    assert (first.span.line, first.span.end_line) == (2, 7)


def test_the_source_is_the_exact_slice() -> None:
    text = "FROM a\n\n  RUN a \\\r\n  # c\r\n  b  \r\nUSER x"
    assert instructions(text)[0].source == "RUN a \\\r\n  # c\r\n  b  "


def test_words_know_their_place_after_a_continuation() -> None:
    (copy,) = instructions("FROM a\nCOPY one \\\n  # c\n  two /thr\\\nee")
    assert [word.span for word in copy.args] == [
        Span(2, 6, 2, 9),
        Span(4, 3, 4, 6),
        Span(4, 7, 5, 3),
    ]


def test_columns_count_characters() -> None:
    (copy,) = instructions("FROM a\n\tCOPY é𝄞 x")
    assert [word.span for word in copy.args] == [Span(2, 7, 2, 9), Span(2, 10, 2, 11)]


def test_comments_are_attached_to_the_next_instruction() -> None:
    (run_a,) = instructions("FROM a\n# one\n\n#two \nRUN a")
    assert run_a.comments == ("one", "two")


def test_an_empty_comment_separates() -> None:
    (run_a,) = instructions("FROM a\n# one\n#\n# two\nRUN a")
    assert run_a.comments == ("two",)


def test_an_indented_comment_keeps_its_mark() -> None:
    (run_a,) = instructions("FROM a\n  # one\nRUN a")
    assert run_a.comments == ("# one",)


def test_directives_are_no_comments() -> None:
    assert parse("# escape=`\n# one\nFROM a").instructions[0].comments == ("one",)


def test_comments_are_used_once() -> None:
    assert instructions("# one\nFROM a\nRUN a")[0].comments == ()


@pytest.mark.parametrize("text", ["", b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(text: str | bytes) -> None:
    with pytest.raises(DockerfileError) as refused:
        parse(text)
    assert refused.value.phase == "parse"
    assert refused.value.diagnostics[0].message == "the Dockerfile cannot be empty"


@pytest.mark.parametrize(("text", "line"), [("\n\n# c\n", 3), (" ", 1), ("# escape=`", 1)])
def test_a_file_without_instructions_is_refused(text: str, line: int) -> None:
    with pytest.raises(DockerfileError) as refused:
        parse(text)
    assert refused.value.phase == "parse"
    assert refused.value.diagnostics[0].message == "file with no instructions"
    assert refused.value.diagnostics[0].span.line == line


def test_a_file_without_stages_is_parsed() -> None:
    dockerfile = parse("ARG a=1\nARG b")
    assert dockerfile.stages == ()
    assert dockerfile.global_args == dockerfile.instructions


def test_stages_hold_what_follows_their_from() -> None:
    dockerfile = parse("ARG v\nFROM a AS One\nRUN x\nRUN y\nFROM b\nUSER u")
    assert [(stage.index, stage.name) for stage in dockerfile.stages] == [(0, "one"), (1, None)]
    assert [len(stage.instructions) for stage in dockerfile.stages] == [2, 1]


def test_errors_name_the_file() -> None:
    for text in ("FROM a\nFOO\n", "FROM a\nRUN <<EOF\nx\n", "# escape=x\nFROM a\n"):
        with pytest.raises(DockerfileError) as caught:
            parse(text, filename="api/Dockerfile")
        assert str(caught.value).startswith("api/Dockerfile:")


@pytest.mark.parametrize("space", ["\t", "\v", "\f", "\r", " ", " \t\v"])
def test_white_space_between_keyword_and_arguments(space: str) -> None:
    assert run(f"RUN{space}a") == ["a"]


@pytest.mark.parametrize("space", ["\x1c", "\x1f", "\u00a0", "\u200b"])
def test_other_characters_do_not_end_a_keyword(space: str) -> None:
    with pytest.raises(DockerfileError, match="unknown instruction: RUN"):
        run(f"RUN{space}a")


@pytest.mark.parametrize("space", ["\x85", "\u00a0", "\u1680", "\u2003", "\u2029", "\u3000"])
def test_unicode_white_space_around_arguments_is_trimmed(space: str) -> None:
    assert run(f"{space}RUN {space}a{space}") == ["a"]


@pytest.mark.parametrize("char", ["\x1c", "\x1d", "\x1e", "\x1f", "\u200b", "\ufeff"])
def test_separators_that_only_python_knows_are_no_white_space(char: str) -> None:
    assert run(f"RUN a{char}") == [f"a{char}"]
