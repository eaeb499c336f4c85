"""Go's regular expressions mean what they mean in Go."""

from __future__ import annotations

import pytest

from pytest_zlayer.checks.structure.go_regex import compile_go


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a.c", "xabcx", True),
        ("^a", "b\na", False),
        ("(?m)^a$", "b\na\nc", True),
        # The end of the text is the end, not the newline before it.
        ("a$", "a\n", False),
        ("a$", "a", True),
        (r"a\z", "a", True),
        ("(?i)ABC", "xabc", True),
        ("a(?i)B|C", "c", True),
        ("a(?i)B|C", "AB", False),
        ("(a(?i)b)C", "aBC", True),
        ("(a(?i)b)C", "aBc", False),
        ("(?i:a)b", "Ab", True),
        ("(?s).", "\n", True),
        (".", "\n", False),
        (r"\d", "\u0663", False),
        (r"\w", "é", False),
        ("[[:alpha:]]+[^[:digit:]]", "ab", True),
        ("[[:digit:][:upper:]]", "x", False),
        ("[]a]", "]", True),
        ("[^]a]", "b", True),
        ("[[]", "[", True),
        (r"\Qa.b\E+", "a.bb", True),
        (r"\Qa.b", "axb", False),
        (r"\x41\x{42}", "AB", True),
        (r"\.", "x", False),
        ("a{2,3}", "aa", True),
        ("a{,3}", "a{,3}", True),
        ("{", "{", True),
        ("(?P<name>a)(?<other>b)", "ab", True),
        (r".*Inst.*Security.* | .*Security.*Inst.*", "Inst Security ", True),
        (r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}$", "2020-01-01T00:00:00.123456", True),
        (r".*httpredir\.debian\.org.*", "deb http://httpredir.debian.org/debian", True),
        ("", "x", True),
    ],
)
def test_what_is_found(pattern: str, text: str, found: bool) -> None:
    assert bool(compile_go(pattern).search(text)) is found


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "[a", "a**", "a+?*", r"\1", "(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "(?>a)",
        "*a", r"\8", "[z-a]", "\\", "(?P=x)", "a{2}{3}", "(?U)a*", "(?#c)", r"\pL",
        "[[:nothing:]]", "(?x)a", "a{1001}",
    ],
)  # fmt: skip
def test_what_go_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_go(pattern)
