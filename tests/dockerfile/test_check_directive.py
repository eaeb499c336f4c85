"""The options of build checks."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.check_directive import (
    CheckOptions,
    check_option_problem,
    options_of,
    parse_check_options,
)
from pytest_zlayer.dockerfile.parser.parse import parse


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", CheckOptions()),
        ("skip=A, B", CheckOptions(skip=frozenset({"A", "B"}))),
        ("skip=all", CheckOptions(skip_all=True)),
        ("experimental=A", CheckOptions(experimental=frozenset({"A"}))),
        ("experimental=all;skip=B", CheckOptions(frozenset({"B"}), experimental_all=True)),
        ("error=T", CheckOptions(error=True)),
        ("error=0", CheckOptions()),
    ],
)
def test_options_are_read(text: str, options: CheckOptions):
    assert parse_check_options(text) == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("skip", 'invalid check option "skip"'),
        ("foo=1", 'invalid check option "foo"'),
        ("skip=A;", 'invalid check option ""'),
        (
            "error=yes",
            (
                'failed to parse check option "error=yes": strconv.ParseBool: parsing "yes":'
                " invalid"
                " syntax"
            ),
        ),
        (
            "skip=A;skip=B;error=1;x",
            (
                'failed to parse check option "error=1;x": strconv.ParseBool: parsing "1;x":'
                " invalid"
                " syntax"
            ),
        ),
    ],
)
def test_wrong_options_are_refused(text: str, message: str):
    with pytest.raises(ValueError, match=r".") as raised:
        parse_check_options(text)
    assert str(raised.value) == message


def test_the_directive_ends_at_its_first_space():
    assert options_of(parse("# check=skip=A, B\nFROM a\n").check, {}).skip == {"A", ""}


def test_the_directive_is_shown_when_it_is_wrong():
    problem = check_option_problem(parse("# escape=`\n# check = foo\nFROM a\n"), {})
    assert problem is not None
    assert (problem.span.line, problem.span.column, problem.span.end_column) == (2, 11, 14)


def test_a_wrong_build_argument_is_shown_at_the_first_line():
    problem = check_option_problem(parse("FROM a\n"), {"BUILDKIT_DOCKERFILE_CHECK": "x"})
    assert problem is not None
    assert problem.span.line == 1


def test_comments_add_to_the_options_of_the_file():
    options = CheckOptions(frozenset({"A"}), error=True)
    assert options.with_comments(["text", "check=skip=B;error=false and more"]) == CheckOptions(
        frozenset({"A", "B"}), error=True
    )


def test_a_wrong_comment_is_ignored():
    assert CheckOptions().with_comments(["check=foo", "check=skip=A"]) == CheckOptions()


def test_experimental_rules_run_only_when_asked_for():
    options = CheckOptions(skip_all=True, experimental=frozenset({"A"}))
    assert options.allows("A", experimental=True)
    assert not options.allows("B", experimental=True)
    assert not options.allows("B", experimental=False)
