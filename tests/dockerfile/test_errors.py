"""Whole error texts: message, place, source line, caret, hint; and which errors come together."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pytest_zlayer.dockerfile import Diagnostic, DockerfileError, Span, parse
from pytest_zlayer.dockerfile.errors import excerpt_line
from pytest_zlayer.errors import ZlayerError


def refused(text: str, filename: str | None = None) -> DockerfileError:
    with pytest.raises(DockerfileError) as caught:
        parse(text, filename=filename)
    return caught.value


def shown(text: str) -> str:
    return str(refused(text, "app/Dockerfile"))


def expected(text: str) -> str:
    return dedent(text).strip("\n")


def test_an_unknown_instruction() -> None:
    assert shown("FROM a\nCPOY . /x\n") == expected(
        """
        app/Dockerfile:2:1: unknown instruction: CPOY (did you mean COPY?)
            2 | CPOY . /x
              | ^~~~
        """
    )


def test_an_unknown_flag_says_which_there_are() -> None:
    assert shown("FROM a\n  COPY --fron=b . /x") == expected(
        """
        app/Dockerfile:2:8: unknown flag: --fron (did you mean from?)
            2 |   COPY --fron=b . /x
              |        ^~~~~~~~
        hint: COPY takes --from, --chown, --chmod, --link, --parents, --exclude
        """
    )


def test_a_flag_where_there_are_none() -> None:
    assert shown("FROM a\nUSER --x b") == expected(
        """
        app/Dockerfile:2:6: unknown flag: --x
            2 | USER --x b
              |      ^~~
        hint: USER takes no flags
        """
    )


def test_an_instruction_before_from() -> None:
    assert shown("ARG v\nRUN x\nFROM a") == expected(
        """
        app/Dockerfile:2:1: no build stage in current context
            2 | RUN x
              | ^~~
        hint: only ARG may stand before the first FROM
        """
    )


def test_a_word_after_a_continuation() -> None:
    assert shown("FROM a\nENV a=b \\\n    # c\n    c d=e") == expected(
        """
        app/Dockerfile:4:5: Syntax error - can't find = in "c". Must be of the form: name=value
            4 |     c d=e
              |     ^
        """
    )


def test_a_stretch_over_several_lines_is_marked_to_the_end_of_its_first() -> None:
    assert shown('FROM a\nRUN ["a", \\\n  1]') == expected(
        """
        app/Dockerfile:2:5: when using JSON array syntax, arrays must be comprised of strings only
            2 | RUN ["a", \\
              |     ^~~~~~~
        """
    )


def test_tabs_keep_the_caret_in_place() -> None:
    assert shown("FROM a\n\tCOPY\t--x a b").splitlines()[1:3] == [
        "    2 | \tCOPY\t--x a b",
        "      | \t    \t^~~",
    ]


def test_a_value_that_makes_no_sense() -> None:
    assert shown("FROM a\nRUN --network=hots x") == expected(
        """
        app/Dockerfile:2:15: invalid network mode "hots"
            2 | RUN --network=hots x
              |               ^~~~
        """
    )


def test_a_mount_that_makes_no_sense() -> None:
    assert shown("FROM a\nRUN --mount=type=bind,from=$x,target=/x x") == expected(
        """
        app/Dockerfile:2:13: 'from' doesn't support variable expansion, define alias stage instead
            2 | RUN --mount=type=bind,from=$x,target=/x x
              |             ^~~~~~~~~~~~~~~~~~~~~~~~~~~
        """
    )


def test_a_name_of_a_stage() -> None:
    assert shown("FROM a AS 1x") == expected(
        """
        app/Dockerfile:1:11: invalid name for build stage: "1x", name can't start with a number \
or contain symbols
            1 | FROM a AS 1x
              |           ^~
        """
    )


def test_a_word_too_many() -> None:
    assert shown("FROM a # why\nFROM a AS b c").splitlines()[::3] == [
        "app/Dockerfile:1:8: FROM requires either one or three arguments",
        "app/Dockerfile:2:13: FROM requires either one or three arguments",
    ]


def test_without_a_name_the_file_is_called_dockerfile() -> None:
    assert str(refused("FOO")).startswith("Dockerfile:1:1: ")


def test_the_first_failing_phase_hides_the_next() -> None:
    error = refused("FOO x\nENV a\n")
    assert error.phase == "parse"
    assert [one.message for one in error.diagnostics] == ["ENV must have two arguments"]


def test_all_parse_errors_come_together() -> None:
    error = refused("# escape=x\n# escape=`\nFROM a\nENV b\nRUN [1]\nLABEL c=d e\nRUN <<EOF\n")
    assert [(one.span.line, one.message) for one in error.diagnostics] == [
        (1, "invalid escape token 'x' does not match ` or \\"),
        (2, "only one escape parser directive can be used"),
        (4, "ENV must have two arguments"),
        (5, "when using JSON array syntax, arrays must be comprised of strings only"),
        (6, 'Syntax error - can\'t find = in "e". Must be of the form: name=value'),
        (7, "unterminated heredoc"),
    ]


def test_all_instruction_errors_come_together() -> None:
    error = refused("USER\nRUN x\nFROM a b\nFOO\nCOPY x\nRUN --x\nSHELL a\nWORKDIR /ok")
    assert error.phase == "instruction"
    assert [(one.span.line, one.message.split(":")[0]) for one in error.diagnostics] == [
        (1, "USER requires exactly one argument"),
        (2, "no build stage in current context"),
        (3, "FROM requires either one or three arguments"),
        (4, "unknown instruction"),
        (
            5,
            (
                "COPY requires at least two arguments, but only one was provided."
                " Destination could not be determined"
            ),
        ),
        (6, "unknown flag"),
        (7, "SHELL requires the arguments to be in JSON form"),
    ]


def test_an_error_knows_the_lines_of_its_instruction() -> None:
    (one,) = refused("FROM a\n\nCOPY \\\n a\n").diagnostics
    assert one.lines == (3, 4)
    assert one.span == Span(3, 1, 3, 5)


def test_of_a_very_long_line_only_the_surroundings_are_shown() -> None:
    head, line, mark = shown("FROM a\nENV a=b " + "x" * 100 + "=y z " + "w" * 300).splitlines()
    assert head.startswith('app/Dockerfile:2:112: Syntax error - can\'t find = in "z".')
    assert line == "    2 | …" + "x" * 57 + "=y z " + "w" * 138 + "…"
    assert mark == "      | " + " " * 61 + "^"


def test_of_a_very_long_message_the_beginning_and_the_end_are_shown() -> None:
    error = refused("x" * 5000)
    head = str(error).splitlines()[0]
    assert head == f"Dockerfile:1:1: unknown instruction: {'x' * 279}…{'x' * 300}"
    assert error.diagnostics[0].message == f"unknown instruction: {'x' * 5000}"


def test_a_line_of_an_excerpt_is_bounded_and_printable() -> None:
    assert excerpt_line("RUN \x1b[31m\tx\r") == "RUN \ufffd[31m\tx"
    assert excerpt_line("RUN " + "x" * 300) == "RUN " + "x" * 196 + "…"


def test_a_very_long_mark_ends_with_what_is_shown() -> None:
    mark = shown("FROM a\nRUN [1, " + " " * 500 + "2]").splitlines()[2]
    assert mark == "      |     ^" + "~" * 195


def test_it_is_one_of_our_errors() -> None:
    assert isinstance(refused("FOO"), ZlayerError)


def test_a_place_behind_the_text_is_shown_without_a_line() -> None:
    diagnostic = Diagnostic("nothing", Span(9, 1, 9, 1))
    assert diagnostic.render("FROM a", None) == "Dockerfile:9:1: nothing"


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    with pytest.raises(DockerfileError) as caught:
        parse("FROM x\n\x1b[31mRUNN\tx \x07\n")
    text = str(caught.value)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "    2 | \ufffd[31mRUNN\tx \ufffd" in text
