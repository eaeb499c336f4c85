"""Argument forms: exec and shell, lists, pairs, names, words, text."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile import (
    Arg,
    Cmd,
    DockerfileError,
    Env,
    ExecForm,
    Healthcheck,
    Label,
    Run,
    ShellForm,
    parse,
)


def args(line: str, *, escape: str = "\\") -> list[str]:
    text = f"# escape={escape}\nFROM a\n{line}"
    return [word.value for word in parse(text).instructions[1].args]


def command(text: str) -> ShellForm | ExecForm:
    (cmd,) = parse(f"FROM a\nCMD {text}").instructions[1:]
    assert isinstance(cmd, Cmd)
    return cmd.command


def error_of(line: str) -> tuple[str, str]:
    with pytest.raises(DockerfileError) as refused:
        parse(f"FROM a\n{line}")
    return refused.value.phase, refused.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ('["a"]', ("a",)),
        ('["a", "b c"]', ("a", "b c")),
        ("[]", ()),
        (' [ "a" ,\t"b" ] ', ("a", "b")),
        ('["\\u00e9\\n\\/"]', ("é\n/",)),
        ('["\\ud834\\udd1e"]', ("𝄞",)),
        ('["\\ud834"]', ("\ufffd",)),
        ('["\\ud834\\ud834\\udd1e"]', ("\ufffd𝄞",)),
        ('["a\\"b"]', ('a"b',)),
        ('[""]', ("",)),
        ('["<<EOF"]', ("<<EOF",)),
    ],
)
def test_a_json_array_of_strings_is_the_exec_form(text: str, argv: tuple[str, ...]) -> None:
    assert command(text) == ExecForm(argv)


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "['a']",
        '["a",]',
        '["a"] b',
        "[a]",
        '["a',
        '["\t"]',
        '["a"',
        "[NaN]",
        "[-Infinity]",
        "[1e999]",
        "[01]",
        '["\\x"]',
        '{"a": 1}',
        '"a"',
        '["a",\u00a0"b"]',
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "[" + "9" * 5_000 + "]",
    ],
)
def test_what_is_no_json_is_the_shell_form(text: str) -> None:
    assert command(text) == ShellForm(text)


@pytest.mark.parametrize("array", ["[1]", '["a", null]', "[[]]", '["a", {"b": []}]', "[true]"])
@pytest.mark.parametrize("keyword", ["RUN", "CMD", "ENTRYPOINT", "SHELL", "ADD", "COPY", "VOLUME"])
def test_an_array_of_anything_else_is_refused(keyword: str, array: str) -> None:
    message = "when using JSON array syntax, arrays must be comprised of strings only"
    assert error_of(f"{keyword} {array}") == ("parse", message)


def test_without_arguments_the_shell_form_is_empty() -> None:
    assert command("") == ShellForm("")


def test_run_may_be_empty() -> None:
    dockerfile = parse("FROM a\nRUN\nRUN []")
    commands = [one.command for one in dockerfile.instructions if isinstance(one, Run)]
    assert commands == [ShellForm(""), ExecForm(())]


def test_words_of_a_list_know_no_quotes() -> None:
    assert args('COPY "a b" c') == ['"a', 'b"', "c"]


def test_words_of_a_list_know_no_escapes() -> None:
    assert args("COPY a\\ b c") == ["a\\", "b", "c"]


def test_a_list_may_be_json() -> None:
    assert args('COPY ["a b", "c"]') == ["a b", "c"]


def test_a_broken_array_is_a_list_of_words() -> None:
    assert args('VOLUME ["a", "b"') == ['["a",', '"b"']


@pytest.mark.parametrize("space", [" ", "\t", "\v", "\f", "\r", " \t "])
def test_words_are_split_at_five_characters(space: str) -> None:
    assert args(f"EXPOSE 1{space}2") == ["1", "2"]


def test_words_are_not_split_at_others() -> None:
    assert args("EXPOSE 1\u00a02\u20033") == ["1\u00a02\u20033"]


@pytest.mark.parametrize("keyword", ["ENV", "LABEL"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=b", ["a", "b"]),
        ("a=b c=d", ["a", "b", "c", "d"]),
        ("a=", ["a", ""]),
        ("a=b=c", ["a", "b=c"]),
        ('a="b c" d=e', ["a", '"b c"', "d", "e"]),
        ("a='b c' d=e", ["a", "'b c'", "d", "e"]),
        ("a=b\\ c d=e", ["a", "b\\ c", "d", "e"]),
        ('a="b\\" c" d=e', ["a", '"b\\" c"', "d", "e"]),
        ("a='b\\' c=d", ["a", "'b\\'", "c", "d"]),
        ('a="b c=d', ["a", '"b c=d']),
        ("a='b c=d", ["a", "'b c=d"]),
        ('"a=b"=c', ['"a', 'b"=c']),
        ("a=b\u2003c=d", ["a", "b", "c", "d"]),
        ("a b", ["a", "b"]),
        ("a  b=c  d ", ["a", "b=c  d"]),
        ('a "b"  c', ["a", '"b"  c']),
        ("a\tb", ["a", "b"]),
        ('a "b', ["a", '"b']),
    ],
)
def test_pairs(keyword: str, text: str, words: list[str]) -> None:
    assert args(f"{keyword} {text}") == words


def test_a_final_lone_escape_character_is_dropped() -> None:
    assert args("ENV a=b\\ \\") == ["a", "b"]


def test_the_legacy_form_is_marked() -> None:
    old, new = parse("FROM a\nENV a b\nLABEL a=b").instructions[1:]
    assert isinstance(old, Env)
    assert isinstance(new, Label)
    assert (old.legacy, new.legacy) == (True, False)


def test_both_sides_of_a_pair_know_their_place() -> None:
    (env,) = parse("FROM a\nENV a=b \\\n  cc=\\\nd").instructions[1:]
    assert isinstance(env, Env)
    second = env.pairs[1]
    assert (second.name.span.line, second.name.span.column) == (3, 3)
    assert (second.value.span.line, second.value.span.column) == (4, 1)


@pytest.mark.parametrize("keyword", ["ENV", "LABEL"])
def test_a_name_alone_is_refused(keyword: str) -> None:
    assert error_of(f"{keyword} a") == ("parse", f"{keyword} must have two arguments")


def test_a_name_and_unicode_white_space_is_a_name_alone() -> None:
    assert error_of("ENV a\u2003b") == ("parse", "ENV must have two arguments")


@pytest.mark.parametrize("keyword", ["ENV", "LABEL"])
def test_a_later_word_without_equals_sign_is_refused(keyword: str) -> None:
    assert error_of(f'{keyword} a=b "c\\d" e=f') == (
        "parse",
        'Syntax error - can\'t find = in "\\"c\\\\d\\"". Must be of the form: name=value',
    )


@pytest.mark.parametrize("keyword", ["ENV", "LABEL", "ARG"])
def test_blank_names_are_refused(keyword: str) -> None:
    assert error_of(f"{keyword} a=b =c") == ("instruction", f"{keyword} names can not be blank")


@pytest.mark.parametrize(
    "keyword", ["ENV", "LABEL", "ARG", "SHELL", "EXPOSE", "VOLUME", "HEALTHCHECK", "ONBUILD"]
)
def test_missing_arguments_are_refused(keyword: str) -> None:
    assert error_of(keyword) == ("instruction", f"{keyword} requires at least one argument")


@pytest.mark.parametrize("keyword", ["USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"])
def test_missing_text_is_refused(keyword: str) -> None:
    assert error_of(keyword) == ("instruction", f"{keyword} requires exactly one argument")


def test_arg_declares_names_with_and_without_default() -> None:
    (arg,) = parse('ARG a b=1 c="x y" d=').instructions
    assert isinstance(arg, Arg)
    declared = [(str(one.name), one.default and str(one.default)) for one in arg.declarations]
    assert declared[1:3] == [("b", "1"), ("c", '"x y"')]
    assert arg.declarations[0].default is None
    assert arg.declarations[3].default is not None
    assert [word.value for word in arg.args] == ["a", "b=1", 'c="x y"', "d="]


@pytest.mark.parametrize("keyword", ["USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"])
def test_text_keeps_its_spaces(keyword: str) -> None:
    assert args(f'{keyword}  "a  b"  c ') == ['"a  b"  c']


def probe(line: str) -> tuple[str, ...]:
    (check,) = parse(f"FROM a\nHEALTHCHECK {line}").instructions[1:]
    assert isinstance(check, Healthcheck)
    return check.probe.test


@pytest.mark.parametrize(
    ("line", "test"),
    [
        ("NONE", ("NONE",)),
        ("none", ("NONE",)),
        ("NONE []", ("NONE",)),
        ("CMD a  b", ("CMD-SHELL", "a  b")),
        ("cmd\ta", ("CMD-SHELL", "a")),
        ("CMD\u2003a", ("CMD-SHELL", "a")),
        ('CMD ["a", "b"]', ("CMD", "a", "b")),
        ("CMD <<EOF", ("CMD-SHELL", "<<EOF")),
    ],
)
def test_healthchecks(line: str, test: tuple[str, ...]) -> None:
    assert probe(line) == test


@pytest.mark.parametrize("keyword", ["u\u017fer", "ma\u0131ntainer"])
def test_keyword_with_a_letter_that_only_looks_like_one(keyword: str) -> None:
    with pytest.raises(DockerfileError, match="unknown instruction"):
        parse(f"FROM a\n{keyword} b\n")


def test_keyword_with_a_letter_that_go_folds() -> None:
    dockerfile = parse("FROM a\nMA\u0130NTAINER b\nWOR\u212aDIR /b\n")
    assert [one.name for one in dockerfile.instructions] == ["FROM", "MAINTAINER", "WORKDIR"]
