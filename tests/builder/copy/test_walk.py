"""Walking a tree under rules: what is seen, in which order, and what is not even looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.builder.copy.walk import Filters, Presence, walk
from pytest_zlayer.builder.files.directory import ContextRootfs
from pytest_zlayer.builder.files.paths import Found
from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules
from tests.builder.support import make_tree


class Watched(ContextRootfs):
    """Remembers which directories were listed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.scanned: list[str] = []

    def scan(self, path: str) -> list[Found]:
        self.scanned.append(path)
        return super().scan(path)


@pytest.fixture
def tree(tmp_path: Path) -> Watched:
    return Watched(make_tree(tmp_path, ["a/b/c", "a/d", "e/f", "g"]))


def walked(tree: Watched, ignore: str = "", **filters: object) -> list[str]:
    rules = IgnoreRules.parse(ignore) if ignore else None
    nodes = walk(Presence(tree, rules), "/", Filters(**filters))  # type: ignore[arg-type]
    return [f"({node.path})" if node.implied else node.path for node in nodes]


def test_parents_come_before_children(tree: Watched) -> None:
    assert walked(tree) == ["", "a", "a/b", "a/b/c", "a/d", "e", "e/f", "g"]


def test_ignored_directory_is_not_looked_into(tree: Watched) -> None:
    assert walked(tree, "a") == ["", "e", "e/f", "g"]
    assert tree.scanned == ["/", "/e"]


def test_excluded_directory_is_not_looked_into(tree: Watched) -> None:
    assert walked(tree, exclude=IgnoreRules.from_patterns(["a"])) == ["", "e", "e/f", "g"]
    assert tree.scanned == ["/", "/e"]


def test_directory_of_a_reincluded_file_is_there(tree: Watched) -> None:
    assert walked(tree, "*\n!a/b/c") == ["", "a", "a/b", "a/b/c"]


def test_directory_that_only_leads_to_something_is_implied(tree: Watched) -> None:
    exclude = IgnoreRules.from_patterns(["*", "!a/b/c"])
    assert walked(tree, exclude=exclude) == ["", "(a)", "(a/b)", "a/b/c"]


def test_only_what_is_included(tree: Watched) -> None:
    include = IgnoreRules.from_patterns(["a/b"])
    assert walked(tree, include=include, literal=("a", "b")) == ["", "(a)", "a/b", "a/b/c"]
    assert tree.scanned == ["/", "/a", "/a/b"]


@pytest.mark.parametrize(
    ("ignore", "there"),
    [("a", False), ("a/d", True), ("a\n!a/b/c", True), ("a\n!a/z", False), ("e", True)],
)
def test_an_ignored_directory_is_there_if_it_leads_to_something(
    tree: Watched, ignore: str, there: bool
) -> None:
    found = Presence(tree, IgnoreRules.parse(ignore)).lstat("/a")
    assert (found is not None) is there
