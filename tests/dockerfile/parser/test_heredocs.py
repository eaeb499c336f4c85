"""Here-documents (Dockerfile reference, "Here-Documents")."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile import (
    Add,
    Copy,
    DockerfileError,
    ExecForm,
    Heredoc,
    Onbuild,
    Run,
    ShellForm,
    parse,
)
from pytest_zlayer.dockerfile.parser.heredocs import heredocs_of, parse_heredoc_word


def run_of(*lines: str) -> Run:
    (run,) = parse("\n".join(("FROM a", *lines))).instructions[1:]
    assert isinstance(run, Run)
    return run


def copy_of(*lines: str) -> Copy:
    (copy,) = parse("\n".join(("FROM a", *lines))).instructions[1:]
    assert isinstance(copy, Copy)
    return copy


def names(line: str) -> list[str]:
    return [one.name for one in heredocs_of(line)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("RUN <<EOF", ["EOF"]),
        ("RUN <<-EOF", ["EOF"]),
        ("RUN << EOF", ["EOF"]),
        ("RUN <<\t EOF", ["EOF"]),
        ("RUN 3<<EOF", ["EOF"]),
        ('RUN <<"E F"', ["E F"]),
        ('RUN <<E"O"F', ["EOF"]),
        ("RUN <<\\EOF", ["EOF"]),
        ("RUN <<$X", ["$X"]),
        ("RUN <<${X}Y", ["${X}Y"]),
        ("RUN <<a <<b cat", ["a", "b"]),
        ("RUN <<EOF # c", ["EOF"]),
        ("RUN cat<<EOF", []),
        ("RUN <<<x", []),
        ("RUN <<- EOF", []),
        ("RUN <<''", []),
        ("RUN \\<<EOF", []),
        ('RUN "<<EOF"', []),
        ("RUN $((1<<2))", []),
        ("RUN <<", []),
        ("RUN <<EOF;", ["EOF;"]),
        ("RUN (cat <<EOF)", ["EOF)"]),
        ("RUN <<EOF|sh", ["EOF|sh"]),
        ("RUN echo $((1 << 2))", ["2))"]),
        ("RUN it's <<EOF", []),
        ('RUN "a <<EOF', []),
        ("RUN ${a^^} <<EOF", []),
        ("RUN ${a,,} <<EOF", []),
        ("RUN ${#a} <<EOF", []),
        ("RUN ${} <<EOF", []),
        ("RUN ${a <<EOF", []),
        ("RUN ${a:#b} <<EOF", []),
        ("RUN ${a/b} <<EOF", []),
        ("RUN ${a:=b} <<EOF", ["EOF"]),
        ("RUN ${a:1:2} <<EOF", ["EOF"]),
        ("RUN ${a:-${b:-'}'}} <<EOF", ["EOF"]),
        ("RUN ${a//b/c} <<EOF", ["EOF"]),
        ("RUN ${a##*/} <<EOF", ["EOF"]),
        ('RUN "$a${b}\\"" <<EOF', ["EOF"]),
        ("RUN a\\ <<EOF", []),
        ("RUN $ <<EOF", ["EOF"]),
        ("RUN $1a <<EOF", ["EOF"]),
        ("RUN <<EOF\\", ["EOF"]),
    ],
)
def test_detection(line: str, found: list[str]) -> None:
    assert names(line) == found


def test_a_substitution_with_a_word_hides_what_stands_before_it() -> None:
    # BuildKit keeps the word in progress where the inner word is put together.
    assert names("RUN <<E${X:-y}") == []
    assert names("RUN x${X:-y}<<E") == []
    assert names("RUN <<${X:-y}<<E") == []


@pytest.mark.parametrize(
    ("word", "expand", "chomp", "descriptor"),
    [
        ("<<EOF", True, False, 0),
        ("<<-EOF", True, True, 0),
        ("3<<EOF", True, False, 3),
        ("<<'EOF'", False, False, 0),
        ('<<-"EOF"', False, True, 0),
        ("<<E'O'F", False, False, 0),
        ("<<\\EOF", True, False, 0),
        ("99999999999999999999999<<EOF", True, False, 2**64 - 1),
    ],
)
def test_a_word_tells_how_its_body_is_used(
    word: str, expand: bool, chomp: bool, descriptor: int
) -> None:
    found = parse_heredoc_word(word)
    assert found is not None
    assert (found.name, found.expand, found.chomp, found.fd) == ("EOF", expand, chomp, descriptor)


def test_deep_nesting_is_no_problem() -> None:
    line = "RUN " + "${a:-" * 50_000 + "}" * 50_000 + " <<EOF"
    assert names(line) == ["EOF"]


def test_the_body_is_taken_as_it_is() -> None:
    body = "# c\n  a \\\n\n\tb\r\n# escape=`\n"
    run = run_of("RUN <<EOF", body + "EOF", "")
    assert run.heredocs[0].content == body


@pytest.mark.parametrize("end", ["EOF", "EOF\r", "EOF\r\r"])
def test_a_body_ends_at_its_name(end: str) -> None:
    assert run_of("RUN <<EOF", " EOF", "EOF ", "\tEOF", end).heredocs[0].content == (
        " EOF\nEOF \n\tEOF\n"
    )


def test_with_a_dash_tabs_before_the_name_do_not_count() -> None:
    heredoc = run_of("RUN <<-EOF", "\t\ta", " EOF", "\t\tEOF").heredocs[0]
    assert heredoc.content == "\t\ta\n EOF\n"
    assert heredoc.text == "a\n EOF\n"


def test_chomping_keeps_carriage_returns_and_form_feeds() -> None:
    assert run_of("RUN <<-E", "\ta\r", "\tb\f\tc", "E").heredocs[0].text == "a\r\nb\f\tc\n"


def test_several_bodies_follow_in_order() -> None:
    run = run_of("RUN <<A <<B cat", "a", "A", "b", "B")
    assert [(one.name, one.content) for one in run.heredocs] == [("A", "a\n"), ("B", "b\n")]


def test_a_word_alone_makes_a_script() -> None:
    run = run_of("RUN --network=none <<EOF", "a", "EOF")
    assert run.script == run.heredocs[0]
    assert run.command == ShellForm("a\n")


def test_the_first_body_is_the_script() -> None:
    run = run_of("RUN <<-EOF", "\t#!/bin/x", "EOF")
    assert run.script is not None
    assert run.script.text == "#!/bin/x\n"


def test_with_anything_else_the_shell_gets_the_whole_text() -> None:
    run = run_of("RUN <<A cat 3<<-B", "a", "A", "\tb", "\tB")
    assert run.script is None
    assert run.command == ShellForm("<<A cat 3<<-B\na\nA\n\tb\nB")


def test_after_a_continuation_bodies_follow_the_logical_line() -> None:
    run = run_of("RUN cat <<EOF \\", " | sh", "a", "EOF")
    assert run.command == ShellForm("cat <<EOF  | sh\na\nEOF")
    assert (run.span.line, run.span.end_line) == (2, 5)


@pytest.mark.parametrize(
    "line",
    ["CMD <<EOF", "ENTRYPOINT <<EOF", "ENV <<EOF x", "HEALTHCHECK CMD <<EOF", "USER <<EOF"],
)
def test_other_instructions_have_none(line: str) -> None:
    dockerfile = parse(f"FROM a\n{line}\nRUN x")
    assert len(dockerfile.instructions) == 3
    assert dockerfile.instructions[1].heredocs == ()


def test_the_exec_form_has_none() -> None:
    run = run_of('RUN ["cat", "<<EOF"]')
    assert run.command == ExecForm(("cat", "<<EOF"))
    assert run.heredocs == ()


def test_copy_makes_inline_files() -> None:
    copy = copy_of("COPY <<a.txt b <<'c.txt' /x/", "$A", "a.txt", "$C", "c.txt")
    assert [str(word) for word in copy.sources] == ["b"]
    assert [(one.name, one.content, one.expand) for one in copy.files] == [
        ("a.txt", "$A\n", True),
        ("c.txt", "$C\n", False),
    ]
    assert str(copy.destination) == "/x/"


def test_a_name_used_twice_gives_the_last_body_to_both() -> None:
    copy = copy_of("COPY <<a <<a /x/", "1", "a", "2", "a")
    assert [one.content for one in copy.files] == ["2\n", "2\n"]


def test_add_makes_inline_files() -> None:
    (add,) = parse("FROM a\nADD <<-a /x\n\t1\n\ta").instructions[1:]
    assert isinstance(add, Add)
    assert [one.text for one in add.files] == ["1\n"]


def test_a_spaced_heredoc_of_copy_is_no_source() -> None:
    copy = copy_of("COPY << EOF /x/", "1", "EOF")
    assert [str(word) for word in copy.sources] == ["<<", "EOF"]
    assert len(copy.heredocs) == 1


def test_a_json_word_that_looks_like_one_is_an_empty_file() -> None:
    copy = copy_of('COPY ["<<EOF", "/x"]')
    assert [(one.name, one.content) for one in copy.files] == [("EOF", "")]


@pytest.mark.parametrize("keyword", ["COPY", "ADD"])
def test_a_destination_cannot_be_one(keyword: str) -> None:
    with pytest.raises(DockerfileError) as refused:
        parse(f"FROM a\n{keyword} x <<EOF\nEOF")
    assert str(refused.value) == (
        f"Dockerfile:2:{len(keyword) + 4}: {keyword} cannot accept a heredoc as a destination\n"
        f"    2 | {keyword} x <<EOF\n"
        f"      | {' ' * len(keyword)}   ^~~~~"
    )


def test_onbuild_stores_its_bodies() -> None:
    (onbuild,) = parse("FROM a\nONBUILD RUN cat <<-A\n\ta\n\tA").instructions[1:]
    assert isinstance(onbuild, Onbuild)
    assert onbuild.text == "RUN cat <<-A\n\ta\nA"
    assert onbuild.heredocs == onbuild.trigger.heredocs != ()


def test_onbuild_of_onbuild_sees_none() -> None:
    with pytest.raises(DockerfileError, match="Chaining ONBUILD"):
        parse("FROM a\nONBUILD ONBUILD RUN <<EOF")


def test_an_unterminated_body_is_refused() -> None:
    with pytest.raises(DockerfileError) as refused:
        parse("FROM a\nRUN <<EOF; cat\na\nEOF\n")
    assert refused.value.phase == "parse"
    assert refused.value.diagnostics[0].lines == (2, 4)
    assert str(refused.value) == (
        "Dockerfile:2:5: unterminated heredoc\n    2 | RUN <<EOF; cat\n      |     ^~~~~~"
    )


def test_a_heredoc_knows_its_place() -> None:
    (heredoc,) = run_of("RUN cat \\", "  3<<EOF", "EOF").heredocs
    assert isinstance(heredoc, Heredoc)
    assert (heredoc.span.line, heredoc.span.column, heredoc.span.end_column) == (3, 3, 9)


def test_inline_files_are_announced_as_here_documents_of_commands_are() -> None:
    (copy,) = parse("FROM a\nCOPY 3<<A 4<<-'B' x /d/\na\nA\n\tb\n\tB\n").instructions[1:]
    assert isinstance(copy, Copy)
    assert [(one.name, one.content, one.expand, one.chomp, one.fd) for one in copy.files] == [
        ("A", "a\n", True, False, 3),
        ("B", "\tb\n", False, True, 4),
    ]


def hints(text: str) -> list[str | None]:
    with pytest.raises(DockerfileError) as caught:
        parse(text)
    return [one.hint for one in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "FROM x\nRUN <<EOF\nid\n  EOF\n",
            "nothing may stand before EOF in line 4, where it is to end",
        ),
        (
            "FROM x\nRUN <<-EOF\n\tid\n  EOF\n",
            "only tabs may stand before EOF in line 4, where it is to end",
        ),
        ("FROM x\nRUN <<EOF\nid\nEOF2\n", None),
        (
            "FROM x\nCMD <<EOF\nhello\nEOF\n",
            "CMD takes no here-document; RUN, COPY and ADD do",
        ),
        (
            "FROM x\nRUN cat <<- EOF\nhello\nEOF\n",
            "no white space may stand behind the <<- of a here-document: <<-NAME",
        ),
        ("FROM x\nRUN <<EOF\nid\nEOF\nhello\n", None),
        ("FROM x\nRUN a\nhello\n", None),
        ("FROM x\nRUN echo '<<A'\nhello\n", None),
        ("FROM x\nCOPY '<<A' /\nhello\n", None),
        ("FROM x\nADD '<<A' /\nhello\n", None),
    ],
)
def test_a_here_document_that_is_none_gets_a_hint(text: str, hint: str | None) -> None:
    assert hints(text)[0] == hint
