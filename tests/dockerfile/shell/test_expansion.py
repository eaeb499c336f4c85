"""Expansion of words: variables, quotes, escapes; every rule of BuildKit's shell lexer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from e2b_dockerfile_utils.lexer import ShellLex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.dockerfile.grammar import load_grammar
from pytest_zlayer.dockerfile.shell.expansion import (
    ExpansionError,
    expand,
    expand_heredoc,
    expand_word,
    expand_words,
)
from pytest_zlayer.dockerfile.shell.word_lexer import WordLexer
from pytest_zlayer.dockerfile.source import Span
from pytest_zlayer.dockerfile.values.quoting import go_quote

VECTORS = Path(__file__).parents[1] / "vectors" / "words.jsonl"
ENV = {
    "v": "value",
    "e": "",
    "p": "foo.tar.gz",
    "path": "/x/y/z",
    "s": "a b",
    "star": "a*b",
    "lines": "a\nb",
}


def vectors() -> Iterator[dict[str, Any]]:
    """Words that BuildKit's own package expanded, apart from those with quotes switched off."""
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        if not vector.get("skip_quotes"):
            yield vector


def bodies() -> Iterator[dict[str, Any]]:
    """The vectors with quotes switched off, as in here-documents, and the usual escape."""
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        if vector.get("skip_quotes") and vector["escape"] == "\\":
            yield vector


def refusal(word: str, env: dict[str, str] | None = None, escape: str = "\\") -> str:
    with pytest.raises(ExpansionError) as raised:
        expand_word(word, ENV if env is None else env, escape)
    prefix = f"failed to process {go_quote(word)}: "
    assert raised.value.message.startswith(prefix)
    return raised.value.message.removeprefix(prefix)


def outcome(vector: dict[str, Any]) -> dict[str, str]:
    try:
        return {"result": expand_word(vector["word"], vector["env"], vector["escape"])}
    except ExpansionError as error:
        return {"error": error.message}


def test_every_vector_of_buildkit_gives_its_result_or_its_error_text() -> None:
    found = [(one, outcome(one)) for one in vectors()]
    assert len(found) > 2600
    assert [
        (one["word"], one["escape"], got)
        for one, got in found
        if got != {key: one[key] for key in ("result", "error") if key in one}
    ] == []


def test_every_vector_without_quotes_gives_its_result_as_a_heredoc_body() -> None:
    found = []
    for one in bodies():
        try:
            got = {"result": expand_heredoc(one["word"], one["env"])}
        except ExpansionError as error:
            got = {"error": error.message}
        found.append((got, {key: one[key] for key in ("result", "error") if key in one}))
    assert len(found) > 100
    assert [pair for pair in found if pair[0] != pair[1]] == []


@pytest.mark.parametrize("word", ["", "plain", "a b", "é~[*]{a,b}", "a`b", "$", "a$/b$"])
def test_words_without_anything_special_stay(word: str) -> None:
    assert expand_word(word, ENV) == word


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("\\a\\\\\\$v", "a\\$v"),
        ("a\\", "a"),
        ("'$v\\'", "$v\\"),
        ('"$v"', "value"),
        ('"\\"\\$\\\\\\a"', '"$\\\\a'),
        ('"it\'s"', "it's"),
        ("a'b'\"c\"d", "abcd"),
        ("\\\n", "\n"),
    ],
)
def test_quotes_and_escapes_are_resolved(word: str, result: str) -> None:
    assert expand_word(word, ENV) == result


@pytest.mark.parametrize(
    ("word", "result"),
    [("`$v", "$v"), ("a\\b", "a\\b"), ('"`""', '"'), ('"`a"', "`a"), ("${v:-`}}", "value")],
)
def test_a_backtick_may_be_the_escape(word: str, result: str) -> None:
    assert expand_word(word, ENV, "`") == result


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ('a"b', "unexpected end of statement while looking for matching double-quote"),
        ('"a\\', "unexpected end of statement while looking for matching double-quote"),
    ],
)
def test_unclosed_quotes_are_refused(word: str, reason: str) -> None:
    assert refusal(word) == reason


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("$v.$v", "value.value"),
        ("$vx", ""),
        ("$12", "2"),
        ("$1a", "onea"),
        ("$$v", "v"),
        ("$@$*$#$?$-$!", ""),
        ("$é", "accent"),
        ("$e²", "²"),
        ("$", "$"),
        ("$/$.", "$/$."),
        ("$(echo)", "$(echo)"),
        ('$"v"', "$v"),
        ("${v}", "value"),
        ("${unset}", ""),
        ("${1}", "one"),
    ],
)
def test_names_are_looked_up(word: str, result: str) -> None:
    env = {**ENV, "1": "one", "12": "2", "é": "accent"}
    assert expand_word(word, env) == result


@pytest.mark.parametrize(
    ("form", "unset", "empty", "given"),
    [
        ("${%s:-w}", "w", "w", "value"),
        ("${%s-w}", "w", "", "value"),
        ("${%s:+w}", "", "", "w"),
        ("${%s+w}", "", "w", "w"),
    ],
)
def test_defaults_and_alternatives(form: str, unset: str, empty: str, given: str) -> None:
    names = ("unset", "e", "v")
    assert [expand_word(form % name, ENV) for name in names] == [unset, empty, given]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("${unset:?}", "unset: is not allowed to be unset"),
        ("${e:?}", "e: is not allowed to be empty"),
        ("${unset?}", "unset: is not allowed to be unset"),
        ("${unset:?set $v}", "unset: set value"),
        ("${e:?no}", "e: no"),
    ],
)
def test_required_variables_are_reported(word: str, reason: str) -> None:
    assert refusal(word) == reason


def test_required_variables_that_are_there_pass() -> None:
    assert expand_word("${v:?}${v?}${e?}", ENV) == "valuevalue"


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("${unset:-$v}", "value"),
        ('${unset:-"a}b"}', "a}b"),
        ("${unset:-'}'}", "}"),
        ("${unset:-\\}}", "}"),
        ("${unset:-${e:-${v}}}", "value"),
        ('"${unset:-"x y"}"', "x y"),
        ("${v:-$unset}", "value"),
        ("${unset:-a b}", "a b"),
    ],
)
def test_arguments_are_words_themselves(word: str, result: str) -> None:
    assert expand_word(word, ENV) == result


def test_an_argument_that_is_not_used_is_evaluated_all_the_same() -> None:
    assert refusal("${v:-${unset:?no}}") == "unset: no"


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("${p#*.}", "tar.gz"),
        ("${p##*.}", "gz"),
        ("${p%.*}", "foo.tar"),
        ("${p%%.*}", "foo"),
        ("${path##*/}", "z"),
        ("${path%/*}", "/x/y"),
        ("${path#/?/}", "y/z"),
        ("${p#bar}", "foo.tar.gz"),
        ("${star#a\\*}", "b"),
        ("${star%\\*b}", "a"),
        ("${p#$unset}", "foo.tar.gz"),
        ("${p%${unset:-.gz}}", "foo.tar"),
        ("${p#'foo'}", ".tar.gz"),
        ("${lines#*}", "a\nb"),
        ("${lines##*}", "\nb"),
        ("${unset#x}", ""),
    ],
)
def test_prefixes_and_suffixes_are_removed(word: str, result: str) -> None:
    assert expand_word(word, ENV) == result


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("${p/o/0}", "f0o.tar.gz"),
        ("${p//o/0}", "f00.tar.gz"),
        ("${p//*/x}", "x"),
        ("${p//o*/x}", "fx"),
        ("${p/./}", "footar.gz"),
        ("${path//\\//-}", "-x-y-z"),
        ("${p/?/x}", "xoo.tar.gz"),
        ("${p/[a-z]/x}", "foo.tar.gz"),
        ("${p/#foo/x}", "foo.tar.gz"),
        ("${p//o/a\\/b}", "fa\\/ba\\/b.tar.gz"),
        ("${p//o/'$1'}", "f.tar.gz"),
        ("${p//o/'[$0]'}", "f[o][o].tar.gz"),
        ("${p//o/'$$'}", "f$$.tar.gz"),
        ("${p/o/'$1'}", "f$1o.tar.gz"),
        ("${v//a/$e}", "vlue"),
        ("${p///x}", "xfxoxox.xtxaxrx.xgxzx"),
        ("${e//*/x}", "x"),
    ],
)
def test_matches_are_replaced(word: str, result: str) -> None:
    assert expand_word(word, ENV) == result


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("${", "syntax error: missing '}'"),
        ("${v:-a", "syntax error: missing '}'"),
        ("${v:-'a}", "syntax error: missing '}'"),
        ("${v/a/b", "syntax error: missing '}'"),
        ("${v/a}", "syntax error: missing '/' in ${}"),
        ("${v:-${w/", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"),
        ("${{v}}", "syntax error: bad substitution"),
        ("${:-x}", "syntax error: bad substitution"),
        ("${v:-${}", "syntax error: bad substitution"),
        ("${v", "unsupported modifier (\ufffd) in substitution"),
        ("${#v}", "unsupported modifier (v) in substitution"),
        ("${!v}", "unsupported modifier (v) in substitution"),
        ("${v^}", "unsupported modifier (^) in substitution"),
        ("${v,,}", "unsupported modifier (,) in substitution"),
        ("${v@Q}", "unsupported modifier (@) in substitution"),
        ("${v:1:2}", "unsupported modifier (:1) in substitution"),
        ("${v:=x}", "unsupported modifier (:=) in substitution"),
        ("${v:#x}", "unsupported modifier (:#) in substitution"),
        ("${v:%x", "unsupported modifier (:%) in substitution"),
        ("${v:}}", "unsupported modifier (:}) in substitution"),
        ("${v:-${w^}}", "unsupported modifier (^) in substitution"),
        ("${v#\\a}", "invalid pattern (\\a) in substitution: invalid escape '\\a'"),
        ("${v%a'\\'}", "invalid pattern (\\a) in substitution: invalid escape '\\a'"),
        ("${v#'\\'}", "invalid pattern (\\) in substitution: invalid escape '\\\ufffd'"),
        ("${v//\\a/}", "invalid pattern (\\a) in substitution: invalid escape '\\a'"),
    ],
)
def test_malformed_substitutions_are_refused(word: str, reason: str) -> None:
    assert refusal(word) == reason


def test_a_backslash_that_quotes_keep_is_one_in_a_pattern_too() -> None:
    assert expand_word('${v#"\\a"}', {"v": "\\ab"}) == "b"


def test_the_first_error_from_the_left_is_reported() -> None:
    assert refusal("${unset:?first}${") == "unset: first"


def test_the_message_quotes_the_word_as_go_does() -> None:
    with pytest.raises(ExpansionError) as raised:
        expand_word('"\t', {})
    assert raised.value.message == (
        'failed to process "\\"\\t": '
        "unexpected end of statement while looking for matching double-quote"
    )


@pytest.mark.parametrize(
    ("word", "start", "end"),
    [
        ("ab${v^}c", 2, 6),
        ("a'b", 1, 3),
        ("x${unset?}y", 1, 10),
        ("${v:-${}}", 5, 7),
        ("x${v#\\a}y", 1, 8),
        ("x${v/\\a/b}y", 1, 10),
        ("a ${:-b}", 2, 4),
    ],
)
def test_the_error_knows_the_place_in_the_word(word: str, start: int, end: int) -> None:
    with pytest.raises(ExpansionError) as raised:
        expand_word(word, ENV)
    assert (raised.value.start, raised.value.end) == (start, end)


def test_the_public_function_raises_the_error_of_the_room_with_a_caret() -> None:
    with pytest.raises(DockerfileError) as raised:
        expand("a${v^}", {"v": "1"})
    assert raised.value.phase == "dispatch"
    assert str(raised.value) == (
        'Dockerfile:1:2: failed to process "a${v^}": unsupported modifier (^) in substitution\n'
        "    1 | a${v^}\n"
        "      |  ^~~~"
    )
    with pytest.raises(DockerfileError) as raised:
        expand("ab'", {})
    assert raised.value.diagnostics[0].span == Span(1, 3, 1, 4)


def test_the_public_function_expands() -> None:
    assert expand("`$x is ${x}", {"x": "1"}, escape="`") == "$x is 1"


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("80 81/udp", ("80", "81/udp")),
        ("$ports", ("80", "81/udp")),
        ('"$ports"', ("80 81/udp",)),
        ("$unset", ()),
        ('"" x', ("x",)),
        ("  a\u00a0b  ", ("a", "b")),
        ("a\u001cb", ("a\u001cb",)),
        ("a\\ b", ("a b",)),
        ("'a b'c d", ("a bc", "d")),
        ("x$ports", ("x80", "81/udp")),
        ("${unset:-1 2}", ("1", "2")),
        ("<< a", ("<< a",)),
        ("<< a b", ("<< a", "b")),
        ("a\0b", ("a\0b",)),
    ],
)
def test_ports_are_split_after_expansion(word: str, words: tuple[str, ...]) -> None:
    assert expand_words(word, {"ports": "80 81/udp"}) == words


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ('it\'s "$v"\n', 'it\'s "value"\n'),
        ("a\\tb", "atb"),
        ("\\\\", "\\"),
        ("\\$v", "$v"),
        ("'${unset:-'x'}'", "''x''"),
        ("a\\\nb", "a\nb"),
        ("plain 'text'\n", "plain 'text'\n"),
        ("`$v`", "`value`"),
    ],
)
def test_heredoc_bodies_keep_quotes_and_lose_backslashes(body: str, result: str) -> None:
    assert expand_heredoc(body, ENV) == result


def test_a_heredoc_body_may_be_malformed() -> None:
    with pytest.raises(ExpansionError) as raised:
        expand_heredoc("a ${\n", {})
    assert raised.value.message == (
        'failed to process "a ${\\n": unsupported modifier (\\n) in substitution'
    ).replace("(\\n)", "(\n)")


def test_a_quote_in_an_argument_does_not_close_the_one_around_it() -> None:
    assert expand('"${a:-"$b"}"$c', {"b": "x y", "c": "z"}) == "x yz"


@pytest.mark.parametrize("open_only", [True, False])
def test_absurd_nesting_is_refused_and_not_a_crash(open_only: bool) -> None:
    depth = 5000
    word = "${a:-" * depth + ("" if open_only else "}" * depth)
    assert refusal(word, {}) == "variables are nested too deeply"
    with pytest.raises(ExpansionError) as raised:
        expand_heredoc(word, {})
    assert (raised.value.start, raised.value.end) == (0, len(word))
    assert raised.value.message.endswith(": variables are nested too deeply")


PIECES = st.sampled_from([*"\\`'\"${}:-+?#%/*[]ab1_ \n<é²\0", "${", "${a", ":-", "//", "\\}"])
WORDS = st.lists(PIECES, max_size=20).map("".join) | st.text(max_size=10)


@given(word=WORDS, escape=st.sampled_from("\\`"))
@example(word="\udcff$", escape="\\")
@settings(max_examples=300, deadline=None)
def test_any_text_expands_or_raises_the_error_of_the_room(word: str, escape: str) -> None:
    env = {"a": "x/y", "b": ""}
    with suppress(ExpansionError):
        expand_word(word, env, escape)
    with suppress(ExpansionError):
        expand_words(word, env, escape)
    with suppress(ExpansionError):
        expand_heredoc(word, env)


# What the other port does otherwise: it reports an end of text in other words.
OTHER_WORDS = {
    "unsupported modifier (\ufffd) in substitution": "syntax error: missing '}'",
    "invalid escape '\\\ufffd'": "invalid escape '\\'",
}


def other_outcome(word: str, env: dict[str, str], escape: str) -> dict[str, str]:
    try:
        return {"result": ShellLex(escape, env=env, skip_unset_env=False).process_word(word)}
    except ValueError as error:
        return {"error": str(error).removeprefix(f"failed to process {word!r}: ")}


@given(word=WORDS, escape=st.sampled_from("\\`"))
@settings(max_examples=300, deadline=None)
def test_it_agrees_with_another_port_of_the_shell_lexer(word: str, escape: str) -> None:
    env = {"a": "x/y z", "b": "", "1": "it's", "_": "a*b"}
    ours = outcome({"word": word, "env": env, "escape": escape})
    if "error" in ours:
        reason = ours["error"].removeprefix(f"failed to process {go_quote(word)}: ")
        for own, theirs in OTHER_WORDS.items():
            reason = reason.replace(own, theirs)
        ours = {"error": reason}
    assert ours == other_outcome(word, env, escape)


def test_the_expressions_of_the_grammar_survive_loading() -> None:
    patterns = {
        one.name: one.pattern.value for one in load_grammar("word", lexer=WordLexer).terminals
    }
    assert patterns["TEXT"] == "[^'\"$\\\\]+"
    assert patterns["QUOTED_ESCAPE"] == '\\\\["$\\\\]'
