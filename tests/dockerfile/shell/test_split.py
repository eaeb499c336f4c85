"""Splitting a line into shell words, as here-documents are looked for."""

from __future__ import annotations

import pytest
from e2b_dockerfile_utils.lexer import ShellLex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_zlayer.dockerfile.shell.split import ShellSyntaxError, ShellWord, split_shell_words

RAW = {"raw_quotes": True, "raw_escapes": True}
PLAIN = {"raw_quotes": False, "raw_escapes": False}


def words(text: str, *, raw_quotes: bool, raw_escapes: bool) -> list[str]:
    found = split_shell_words(text, raw_quotes=raw_quotes, raw_escapes=raw_escapes)
    return [one.value for one in found]


@pytest.mark.parametrize(
    ("text", "plain", "raw"),
    [
        ("", [], []),
        (" a\t b ", ["a", "b"], ["a", "b"]),
        ("a'b c'd", ["ab cd"], ["a'b c'd"]),
        ('a"b c"d', ["ab cd"], ['a"b c"d']),
        ("'' x", ["x"], ["''", "x"]),
        ("a\\ b", ["a b"], ["a\\ b"]),
        ("a\\", ["a"], ["a\\"]),
        ('"\\"\\$\\\\"', ['"$\\'], ['"\\"\\$\\\\"']),
        ('"\\a"', ["\\a"], ['"\\\\a"']),
        ("<< a <b", ["<< a", "<b"], ["<< a", "<b"]),
        ("<<- \tEOF", ["<<-", "EOF"], ["<<-", "EOF"]),
        ("$a$1b$@c$", ["$a$1b$@c$"], ["$a$1b$@c$"]),
        ("${a}b ${é}", ["${a}b", "${é}"], ["${a}b", "${é}"]),
        ("${a:-b c}d", ["${a:-b", "c}d"], ["${a:-b", "c}d"]),
        ('"${a:-b c}d"', ["${a:-b c}d"], ['"${a:-b c}d"']),
        ("${a:-\\}}", ["${a:-}}"], ["${a:-}}"]),
        ("${a-'}'}", ["${a-}}"], ["${a-'}'}"]),
        ("${a#\\*}", ["${a#\\*}"], ["${a#\\*}"]),
        ("${a:-\\*}${a%\\*}", ["${a%\\*}"], ["${a%\\*}"]),
        ("${a/\\b/\\c}", ["${a/\\b/\\c}"], ["${a/\\b/\\c}"]),
        ("${a//b/c}", ["${a/b/c}"], ["${a/b/c}"]),
        ("${a:-${b:+c}}", ["${a:-${b:+c}}"], ["${a:-${b:+c}}"]),
        ("forgotten${a?b}c", ["${a?b}c"], ["${a?b}c"]),
    ],
)
def test_words_with_and_without_quotes_and_escapes(
    text: str, plain: list[str], raw: list[str]
) -> None:
    assert words(text, **PLAIN) == plain
    assert words(text, **RAW) == raw


def test_a_word_knows_where_it_stands() -> None:
    assert split_shell_words("  a 'b c'd <<E", **RAW) == [
        ShellWord("a", 2, 3),
        ShellWord("'b c'd", 4, 10),
        ShellWord("<<E", 11, 14),
    ]
    assert split_shell_words(" ${a:-b c}d $e", **PLAIN) == [
        ShellWord("${a:-b", 1, 10),
        ShellWord("c}d", 1, 11),
        ShellWord("$e", 12, 14),
    ]
    assert split_shell_words(" \\a $b", **RAW) == [ShellWord("\\a", 1, 3), ShellWord("$b", 4, 6)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 'b", "unexpected end of statement while looking for matching single-quote"),
        ('a "b', "unexpected end of statement while looking for matching double-quote"),
        ("${", "syntax error: missing '}'"),
        ("${a:-b", "syntax error: missing '}'"),
        ("${a/b", "syntax error: missing '/' in ${}"),
        ("${a/b/c", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"),
        ("${{a}}", "syntax error: bad substitution"),
        ("${:-a}", "syntax error: bad substitution"),
        ("${a", "unsupported modifier (\ufffd) in substitution"),
        ("${a^}", "unsupported modifier (^) in substitution"),
        ("${a:#b}", "unsupported modifier (:#) in substitution"),
        ("${a:%b}", "unsupported modifier (:%) in substitution"),
    ],
)
@pytest.mark.parametrize("raw", [True, False])
def test_what_is_no_sequence_of_words_is_refused(text: str, message: str, raw: bool) -> None:
    with pytest.raises(ShellSyntaxError) as raised:
        split_shell_words(text, raw_quotes=raw, raw_escapes=raw)
    assert str(raised.value) == message


PIECES = st.sampled_from([
    *"ab1_é/}-", "<a", "\\ ", "\\'", "\\a", "'a \"b'", "\"a 'b\"", '"\\" \\a"',
    "$a", "${a}", '"$a b"', "$1a", "$@x", "<<x", "<< x", "<<-",
])  # fmt: skip
# Only at the beginning of a word: what stands before it in its word BuildKit forgets, and so do we.
OPENED = ["${a:-b c}", "${a-'}' }", "${a#\\b}", '${a+"x}"}', "${a/b c/d\\e}", "${a?$b ${b%c}}"]
WORDS = st.builds(
    "{}{}".format, st.sampled_from(["", *OPENED]), st.lists(PIECES, max_size=6).map("".join)
)


@given(st.lists(WORDS, max_size=4).map(" ".join), st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_it_agrees_with_another_port_of_the_shell_lexer(
    text: str, raw_quotes: bool, raw_escapes: bool
) -> None:
    other = ShellLex("\\", raw_quotes=raw_quotes, raw_escapes=raw_escapes).process_words(text)
    # The other port keeps empty words, which BuildKit does not.
    expected = [one for one in other if one]
    assert words(text, raw_quotes=raw_quotes, raw_escapes=raw_escapes) == expected


@given(st.lists(WORDS, max_size=6).map(" ".join))
@example("a b 'c' d\\e")
@settings(max_examples=200, deadline=None)
def test_only_words_without_special_characters_are_left_out(text: str) -> None:
    every = split_shell_words(text, **RAW)
    special = split_shell_words(text, only_special=True, **RAW)
    assert [one for one in every if one in special] == special
    left_out = "".join(one.value for one in every if one not in special)
    assert not set(left_out) & set("'\"$<\\")


def test_a_line_of_ordinary_words_is_passed_over() -> None:
    assert split_shell_words("apt-get install -y curl ", only_special=True, **RAW) == []
