"""Ignore files, by the rules of the Dockerfile reference and moby's pattern matcher."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import pytest
from e2b_dockerfile_utils.dockerignore import PatternMatcher
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules, IgnoreState


def rules(*lines: str) -> IgnoreRules:
    return IgnoreRules.parse("\n".join(lines))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("foo", "foo"),
        ("foo", "foo/bar/baz"),
        ("/foo", "foo"),
        ("foo/", "foo"),
        ("./a/../b//c", "b/c"),
        ("*", "a"),
        ("*", "a/b"),
        ("*.log", "x.log"),
        ("*/x", "a/x"),
        ("a?c", "abc"),
        ("[a-c]x", "bx"),
        ("[^a]x", "bx"),
        ("[^a]x", "xx"),
        ("a[^b]c", "a/c"),
        ("a\\*b", "a*b"),
        ("a\\b", "ab"),
        ("**/x", "x"),
        ("**/x", "a/b/x"),
        ("**/x", "a/x/b"),
        ("**/a/b", "c/a/b"),
        ("**/a/b", "a/b"),
        ("**/*.pyc", "x.pyc"),
        ("**/*.pyc", "a/b/x.pyc"),
        ("**.pyc", "a/x.pyc"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/x/y/b"),
        ("a/**", "a/b"),
        ("a/**", "a/b/c"),
        ("a**", "abc"),
        ("a**", "a/b"),
        ("a**b", "ab"),
        ("**", "a/b"),
        ("**/**", "a"),
        ("**/a*/**", "x/ab/c"),
        ("***/a", "x/a"),
        (".git", ".git/HEAD"),
        ("a.b|c(d)+{e}$^", "a.b|c(d)+{e}$^"),
        ("é*", "été"),
        ("a**", "ab\nc"),
        ("**b", "a\nb"),
        ("**/a/b", "x\ny/a/b"),
        ("#x", "#x"),
    ],
)
def test_these_are_excluded(pattern: str, path: str) -> None:
    assert rules(f" {pattern}").excludes(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("foo", "a/foo"),
        ("foo", "foobar"),
        ("foo", "FOO"),
        ("foo/bar", "foo"),
        ("*.log", "a/x.log"),
        ("*/x", "x"),
        ("*/x", "a/b/x"),
        ("a?c", "a/c"),
        ("[^a]x", "ax"),
        ("[a-c]x", "dx"),
        ("[a-c]x", "Xx"),
        ("[z]", "[z]"),
        ("a\\*b", "axb"),
        ("**/x", "xy"),
        ("**/a/b", "xa/b"),
        ("a/**", "a"),
        ("a/**/b", "a/bc"),
        ("a**b", "axb"),
        ("../a", "a"),
        ("/", "a"),
        (".", "a"),
        ("a.c", "abc"),
    ],
)
def test_these_are_not_excluded(pattern: str, path: str) -> None:
    assert not rules(pattern).excludes(path)


@pytest.mark.parametrize("path", ["", "."])
def test_the_context_itself_is_never_excluded(path: str) -> None:
    assert not rules("**").excludes(path)


@pytest.mark.parametrize(
    ("lines", "path", "excluded"),
    [
        (["a", "!a/b"], "a/b", False),
        (["a", "!a/b"], "a/b/c", False),
        (["a", "!a/b"], "a/c", True),
        (["*", "!*.py"], "x.py", False),
        (["*", "!*.py"], "x.js", True),
        (["*", "!*.py"], "a/x.py", True),
        (["*", "!**/*.py"], "a/x.py", False),
        (["!x", "x"], "x", True),
        (["x", "!x", "x"], "x", True),
        (["a", "!a/b", "a/b/c"], "a/b/c/d", True),
        (["**/*.md", "!docs"], "docs/x.md", False),
    ],
)
def test_the_last_matching_line_decides(lines: list[str], path: str, excluded: bool) -> None:
    assert rules(*lines).excludes(path) is excluded


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("a", "a"),
        ("a/x", "a"),
        ("a/b", "!a/b"),
        ("a/b/c", "!a/b"),
        ("a/b/x.log", "**/*.log"),
        ("x.log", "**/*.log"),
        ("b", None),
        ("b/a", None),
    ],
)
def test_it_can_be_asked_which_line_decides(path: str, pattern: str | None) -> None:
    found = rules("a", "!a/b", "**/*.log").deciding(path)
    assert (None if found is None else f"{'!' * found.negated}{found.text}") == pattern


class TestLines:
    def test_a_byte_order_mark_and_line_ends_are_dropped(self) -> None:
        found = IgnoreRules.parse(b"\xef\xbb\xbf# comment\r\na\r\n\r\n b \n")
        assert [one.text for one in found.patterns] == ["a", "b"]

    def test_only_a_hash_in_the_first_column_is_a_comment(self) -> None:
        assert [one.text for one in rules("#a", " #b", "c#d").patterns] == ["#b", "c#d"]

    def test_white_space_after_the_exclamation_mark_is_dropped(self) -> None:
        found = rules("!  /a ").patterns[0]
        assert (found.text, found.negated) == ("a", True)

    def test_only_the_first_exclamation_mark_negates(self) -> None:
        found = rules("!!a").patterns[0]
        assert (found.text, found.negated) == ("!a", True)

    def test_unicode_space_is_trimmed_and_separators_of_other_kinds_are_not(self) -> None:
        found = rules("\u00a0a\u3000", "\x1cb", "!\x1cc")
        assert [one.text for one in found.patterns] == ["a", "\x1cb", "\x1cc"]

    def test_bytes_that_are_no_utf_8_match_themselves(self) -> None:
        odd = b"\xff*"
        assert IgnoreRules.parse(odd).excludes(b"\xffx".decode("utf-8", "surrogateescape"))

    @pytest.mark.parametrize("line", ["!", " ! ", "!/"])
    def test_a_lone_exclamation_mark_is_refused(self, line: str) -> None:
        with pytest.raises(ValueError, match=r"^illegal") as raised:
            rules("a", line)
        assert str(raised.value) == 'illegal exclusion pattern: "!"'

    @pytest.mark.parametrize("line", ["[", "a/[b", "[]a]", "x\\", "[z-a]", "![-]"])
    def test_malformed_patterns_are_refused(self, line: str) -> None:
        with pytest.raises(ValueError, match=r"^syntax error in pattern$"):
            rules(line)

    def test_exceptions_are_reported(self) -> None:
        assert rules("a", "!b").has_exceptions
        assert not rules("a").has_exceptions


class TestGivenPatterns:
    def test_a_hash_means_nothing_special(self) -> None:
        assert IgnoreRules.from_patterns(["#a"]).excludes("#a")

    def test_a_leading_slash_matches_no_path(self) -> None:
        given_patterns = IgnoreRules.from_patterns(["/a", "/b*", "/c/**", "//d"])
        assert not any(map(given_patterns.excludes, ["a", "bc", "c/d", "d"]))

    def test_blank_ones_are_skipped(self) -> None:
        assert IgnoreRules.from_patterns(["", "  "]).patterns == ()


class TestWalk:
    def visited(self, *lines: str, tree: Sequence[str]) -> list[str]:
        """The folders a pruning walk looks into, out of the paths of files."""
        seen: list[str] = []

        def descend(state: IgnoreState) -> None:
            seen.append(state.path)
            prefix = f"{state.path}/" if state.path else ""
            inside = (one[len(prefix) :] for one in tree if one.startswith(prefix))
            for name in sorted({one.split("/")[0] for one in inside if "/" in one}):
                excluded, child = state.child(name)
                if not excluded or child.may_reinclude:
                    descend(child)

        descend(rules(*lines).root())
        return seen[1:]

    @pytest.mark.parametrize(
        ("lines", "folders"),
        [
            (["a"], ["b", "b/c"]),
            (["*"], []),
            (["*", "!a/x/y"], ["a", "a/x"]),
            (["*", "!a/x"], ["a", "a/x"]),
            (["*", "!*/x/y"], ["a", "a/x", "b"]),
            (["*", "!b/**/y"], ["b", "b/c"]),
            (["*", "!**/y"], ["a", "a/x", "b", "b/c"]),
            (["*", "!b**"], ["b", "b/c"]),
            (["!a/x", "*"], []),
            (["*", "!z"], []),
            (["*", "!a[^q]x/f"], ["a", "a/x"]),
        ],
    )
    def test_only_folders_that_may_hold_something_are_entered(
        self, lines: list[str], folders: list[str]
    ) -> None:
        assert self.visited(*lines, tree=["a/x/f", "b/c/f", "f"]) == folders

    def test_a_state_tells_its_path_and_whether_it_is_excluded(self) -> None:
        excluded, state = rules("a/b").root().child("a")
        assert (excluded, state.excluded, state.path) == (False, False, "a")
        assert state.child("b")[0] is True


PIECE = re.compile(r"\*\*/?|\*|\?|\[\^?(?:\\.|[^\]\\])+\]|\\.|.", re.DOTALL)


def slow_regex(pattern: str) -> str:
    """Straight from the rules: one regular expression for a whole pattern."""
    pieces = PIECE.findall(pattern)
    regex = ""
    for position, piece in enumerate(pieces):
        last = position == len(pieces) - 1
        if piece.startswith("**"):
            only_text = not any(one[0] in "*?[\\" for one in pieces[1:])
            glued = position == 0 and piece == "**" and only_text
            regex += ".*" if last or glued else "(?:.*/)?"
        elif piece == "*":
            regex += "[^/]*"
        elif piece == "?":
            regex += "[^/]"
        elif len(piece) > 1 and piece.startswith("["):
            regex += piece
        else:
            regex += re.escape(piece[-1])
    return regex


def prefixes(path: str) -> Iterator[str]:
    return itertools.accumulate(path.split("/"), "{}/{}".format)


def slow_excludes(lines: Sequence[str], path: str) -> bool:
    """Every pattern against the path and each of its parents; the last match wins."""
    excluded = False
    for line in lines:
        regex = slow_regex(line.removeprefix("!"))
        if any(re.fullmatch(regex, one) for one in prefixes(path)):
            excluded = not line.startswith("!")
    return excluded


ELEMENTS = ["a", "b", "ab", "*", "?", "a*", "*b", "**", "[ab]", "[^a]", "a**", "**b", "a\\*", ".*"]
LINES = st.builds(
    "{}{}".format,
    st.sampled_from(["", "", "!"]),
    st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=4).map("/".join),
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "ba", "c", "a*", ".x"]), min_size=1, max_size=5)


@given(lines=st.lists(LINES, max_size=6), path=PATHS.map("/".join))
@example(lines=["a", "!a/b", "a"], path="a/b")
@example(lines=["**b"], path="ab")
@settings(max_examples=600, deadline=None)
def test_the_index_agrees_with_trying_every_pattern(lines: list[str], path: str) -> None:
    assert rules(*lines).excludes(path) is slow_excludes(lines, path)


@given(lines=st.lists(LINES, max_size=6), path=PATHS)
@settings(max_examples=300, deadline=None)
def test_a_walk_agrees_with_asking_for_the_path(lines: list[str], path: list[str]) -> None:
    found = rules(*lines)
    state, excluded = found.root(), False
    for name in path:
        excluded, state = state.child(name)
    assert excluded is found.excludes("/".join(path))


@given(lines=st.lists(LINES, max_size=6), path=PATHS.map("/".join))
@settings(max_examples=300, deadline=None)
def test_no_folder_is_pruned_that_holds_something(lines: list[str], path: str) -> None:
    found = rules(*lines)
    assume(not found.excludes(path))
    state = found.root()
    for name in path.split("/")[:-1]:
        excluded, state = state.child(name)
        assert not excluded or state.may_reinclude


def changes_nothing_for_a_folder(lines: Sequence[str], path: str) -> bool:
    """Whether a line matches a parent folder that earlier lines had decided the same way."""
    for folder in list(prefixes(path))[:-1]:
        excluded = False
        for line in lines:
            plain = not line.startswith("!")
            if any(re.fullmatch(slow_regex(line.lstrip("!")), one) for one in prefixes(folder)):
                if excluded is plain:
                    return True
                excluded = plain
    return False


@given(lines=st.lists(LINES, max_size=5), path=PATHS.map("/".join))
@settings(max_examples=400, deadline=None)
def test_it_agrees_with_another_port_of_the_pattern_matcher(lines: list[str], path: str) -> None:
    # What it does otherwise: a line that changes nothing for a folder is forgotten for what is
    # below the folder (`**/*.md` and `!docs` exclude docs/x.md there), as in moby's function for
    # walks. The Dockerfile reference says that the last line that matches decides.
    assume(not changes_nothing_for_a_folder(lines, path))
    assert rules(*lines).excludes(path) is PatternMatcher(lines).matches(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 30 + "b", "a" * 200),
        ("**/" * 40 + "b", "a/" * 200 + "a"),
        ("**/a/" * 30 + "b", "a/" * 200 + "a"),
        ("**a" * 30 + "b", "a" * 200),
        ("x/" + "*a" * 30 + "b/c", "x/" + "a" * 200 + "/c"),
        ("[a-b]*" * 30 + "/b", "a" * 200 + "/c"),
    ],
)
@pytest.mark.parametrize("sign", ["", "!"])
def test_no_pattern_takes_long_however_many_wildcards_it_has(
    sign: str, pattern: str, path: str
) -> None:
    found = IgnoreRules.from_patterns(["zzz", sign + pattern])
    assert not found.excludes(path)
    state = found.root()
    for name in path.split("/"):
        assert state.may_reinclude in (True, False)
        _, state = state.child(name)


@pytest.mark.parametrize(
    ("pattern", "path", "excluded"),
    [
        ("*a*b*c", "xaybzc", True),
        ("*a*b*c", "xaybz", False),
        ("**/a/**/b/**/c", "x/a/b/y/z/c", True),
        ("**/a/**/b/**/c", "x/a/c", False),
        ("a**b**c*d", "a/x/b/cd", True),
        ("*a*b*c/d", "1a2b3c/d", True),
    ],
)
def test_patterns_of_many_wildcards_match_as_others_do(
    pattern: str, path: str, excluded: bool
) -> None:
    assert IgnoreRules.from_patterns([pattern]).excludes(path) is excluded
