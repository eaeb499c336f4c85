"""Cells of a matrix, and the words that stand for them in test ids."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.matrix import Cell, cell_text, cells, parse_matrix


def test_every_combination_is_a_cell_and_the_last_value_changes_fastest() -> None:
    found = cells([("api", {"PY": ("1", "2"), "OS": ("a", "b")})])
    assert [str(one) for one in found] == [
        "PY-1_OS-a",
        "PY-1_OS-b",
        "PY-2_OS-a",
        "PY-2_OS-b",
    ]


def test_no_matrix_has_no_cells() -> None:
    assert cells([]) == []
    assert cells([("api", {})]) == []


def test_a_cell_knows_what_it_sets_for_which_declaration() -> None:
    (cell,) = cells([("api", {"PY": ("3",)}), ("db", {"PY": ("2",), "target": ("x",)})])
    assert cell.values_for("api") == {"PY": "3"}
    assert cell.values_for("db") == {"PY": "2", "target": "x"}
    assert cell.values_for("other") == {}
    assert dict(cell.labels()) == {"api.PY": "3", "db.PY": "2", "db.target": "x"}


def test_arguments_of_a_single_declaration_need_no_owner() -> None:
    cell = Cell((("api", "PY", "3"), ("api", "target", "x")))
    assert dict(cell.labels()) == {"PY": "3", "target": "x"}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"PY": "3.12"}, "PY-3.12"),
        ({"platform": "linux/arm/v7"}, "platform-linux/arm/v7"),
        ({"FLAGS": "-O2 -g=3", "a": "x:y+z"}, "FLAGS--O2--g-3_a-x:y+z"),
        ({"A": "[x]"}, "A--x-"),
    ],
)
def test_a_cell_is_written_so_that_k_takes_it(values: dict[str, str], text: str) -> None:
    assert cell_text(values) == text


def test_values_of_a_matrix_are_texts() -> None:
    assert parse_matrix({"PY": ["3.10", 3], "OS": ("a",)}) == {"PY": ("3.10", "3"), "OS": ("a",)}


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (["PY"], "matrix must be a mapping of names to lists of values, not ['PY']"),
        ({3: ["a"]}, "matrix must be a mapping of names to lists of values, not {3: ['a']}"),
        ({"PY": "3"}, "matrix['PY'] must be a list of values, not '3'"),
        ({"PY": []}, "matrix['PY'] must be a list of values, not []"),
        ({"PY": 3}, "matrix['PY'] must be a list of values, not 3"),
        ({"PY": ["3", 3.1]}, "matrix['PY'][1] must be text, not 3.1"),
    ],
)
def test_what_is_no_matrix_is_refused(matrix: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_matrix(matrix)
    assert caught.value.message == message
