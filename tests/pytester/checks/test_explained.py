"""Plain asserts on what images say are explained."""

from __future__ import annotations

from pytest_zlayer.plugin import reporting
from tests.pytester.conftest import Project


def test_a_plain_assert_is_explained(project: Project) -> None:
    test = """
from pytest_zlayer.builder.image.path import Mode
from pytest_zlayer.dockerfile.operations.image_config import Variables, Words

def test_mode():
    assert Mode(0o640) == 0o644

def test_words():
    assert Words(["a", "b"]) == ["a", "c"]

def test_in():
    assert "PROT" in Variables(PORT="80")

def test_other():
    assert 1 == 2
"""
    project.pytester.makepyfile(test)
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "E   *assert 0o640 == 420",
            "E   *mode 0640, expected 0644",
            "E   *word 2 is 'b', expected 'c'",
            "E   *there is no variable PROT",
            "E   *near: PORT",
            "E   *assert 1 == 2",
        ]
    )


def test_what_is_not_ours_is_left_to_pytest() -> None:
    assert reporting.explained("==", [1], [2]) is None
