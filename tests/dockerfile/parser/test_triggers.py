"""ONBUILD: what a trigger may be, where it is written and where it comes from a base image."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile import DockerfileError, Run, Span, parse
from pytest_zlayer.dockerfile.parser.parse import parse_trigger

FROM = Span(2, 6, 2, 7)


def refusal_at_from(trigger: str) -> DockerfileError:
    """What is said of a trigger that the FROM in the second line of a file fires."""
    with pytest.raises(DockerfileError) as refused:
        parse_trigger(trigger, span=FROM, filename="F", file_text="FROM a\nFROM b\n")
    return refused.value


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("MAINTAINER x", "MAINTAINER isn't allowed as an ONBUILD trigger"),
        ("ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
    ],
)
def test_some_instructions_are_no_triggers(trigger: str, message: str) -> None:
    with pytest.raises(DockerfileError) as refused:
        parse(f"FROM a\nONBUILD {trigger}\n")
    (found,) = refused.value.diagnostics
    keyword = trigger.split(maxsplit=1)[0]
    assert (found.message, found.span) == (message, Span(2, 9, 2, 9 + len(keyword)))


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("RUN a\nRUN b", "onbuild trigger should be a single expression"),
        ("# nothing", "file with no instructions"),
        ("FOO x", "unknown instruction: FOO (did you mean FROM?)"),
        ("RUN <<EOF", "unterminated heredoc"),
        ("USER", "USER requires exactly one argument"),
    ],
)
def test_a_trigger_of_a_base_image_that_is_wrong_is_reported_at_the_from(
    trigger: str, message: str
) -> None:
    error = refusal_at_from(trigger)
    assert error.phase == "dispatch"
    assert str(error) == f"F:2:6: {message}\n    2 | FROM b\n      |      ^"


def test_the_hint_about_a_trigger_is_kept() -> None:
    assert refusal_at_from("USER --x a").diagnostics[0].hint == "USER takes no flags"


def test_the_escape_character_of_the_file_counts_in_a_trigger() -> None:
    found = parse_trigger("RUN a `\n b", span=FROM, escape="`")
    assert isinstance(found, Run)
    assert [word.value for word in found.args] == ["a  b"]
