"""The parts the word grammar finds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_zlayer.dockerfile.grammar import load_grammar
from pytest_zlayer.dockerfile.shell.word import (
    Broken,
    Conditional,
    Quoted,
    Replace,
    Text,
    Trim,
    Variable,
    parse_body,
    parse_word,
)
from pytest_zlayer.dockerfile.shell.word_lexer import WordLexer, WordText

X = Text("x", "x", plain=True)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x", X),
        ("$x", Variable("x")),
        ("${x}", Variable("x")),
        ("\\$", Text("$", "\\$", plain=False)),
        ("'$x'", Text("$x", "$x", plain=False)),
        ('"$x"', Quoted((Variable("x"),))),
        ("${x:-x}", Conditional("x", ":-", (X,), 0, 7)),
        ("${x%%x}", Trim("x", "%", (Text("%x", "%x", plain=True),), 0, 7)),
        ("${x//x/x}", Replace("x", "//", (X,), (X,), 0, 9)),
        ("${+x}", Conditional("", "+", (X,), 0, 5)),
        ("${", Broken("syntax error: missing '}'", 0, 2)),
        ("${x^^}", Broken("unsupported modifier (^) in substitution", 0, 4)),
        ("${x-x", Broken("syntax error: missing '}'", 0, 5, (X,))),
    ],
)
def test_a_word_of_one_part(text: str, part: object) -> None:
    assert parse_word(text, "\\") == (part,)


def test_the_escape_character_is_a_matter_of_the_dockerfile() -> None:
    assert parse_word("`$", "`") == (Text("$", "`$", plain=False),)
    assert parse_word("`$", "\\") == (Text("`", "`", plain=True), Text("$", "$", plain=True))


def test_quotes_are_ordinary_in_the_body_of_a_heredoc() -> None:
    assert parse_body("'\"") == (Text("'\"", "'\"", plain=True),)


@given(
    text=st.text(alphabet="\\`'\"${}:-+?#%/ab", max_size=15) | st.text(max_size=8),
    escape=st.sampled_from("\\`"),
    quotes=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_every_text_is_a_word_and_its_tokens_are_the_text(
    text: str, escape: str, quotes: bool
) -> None:
    grammar = load_grammar("word", lexer=WordLexer)
    tree = grammar.parse(WordText(text, escape, quotes))
    assert "".join(str(token) for token in tree.scan_values(lambda _: True)) == text
