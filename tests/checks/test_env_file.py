"""Files of variables, by the rules of the library that the original tool reads them with."""

from __future__ import annotations

import pytest

from pytest_zlayer.checks.structure.env_file import read_env_file
from pytest_zlayer.checks.structure.model import StructureError


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("# only\n\n   # comments", {}),
        ("A=1\r\nexport B = two words \nC: 3", {"A": "1", "B": "two words", "C": "3"}),
        ("A=#fff\nB=b#c # comment\nC=", {"A": "#fff", "B": "b#c", "C": ""}),
        ("A='$B # \"x\"' # comment", {"A": '$B # "x"'}),
        (r'A="a\nb\"c\"\\\$d"', {"A": 'a\nb"c"\\$d'}),
        ("A='1\n2'\nB=3", {"A": "1\n2", "B": "3"}),
        ('A=1\nB="$A ${OUT} ${NONE}$"\nC=$A/x\nD=\\$A $(A)', {
            "A": "1", "B": "1 out $", "C": "1/x", "D": "$A $(A)"}),
        ("A=1\nA=2", {"A": "2"}),
    ],
)  # fmt: skip
def test_variables(text: str, variables: dict[str, str]) -> None:
    assert read_env_file(text, "s.env", {"OUT": "out"}) == variables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\n  no value\n", "s.env:2:3: no variable is set here\nhint: write NAME=value"),
        ("A=1\nB='x\n", "s.env:2:3: the quote is not closed"),
    ],
)
def test_what_sets_no_variable_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(StructureError) as caught:
        read_env_file(text, "s.env", {})
    assert str(caught.value) == message
