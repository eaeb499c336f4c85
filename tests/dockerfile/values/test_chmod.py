"""``--chmod`` values, octal and symbolic."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_zlayer.dockerfile.values.chmod import parse_chmod


def test_an_octal_value_replaces_the_mode() -> None:
    assert parse_chmod("4755").absolute == 0o4755
    assert parse_chmod("7777").absolute == 0o7777
    assert parse_chmod("0644").apply(0o777, is_dir=True) == 0o644


def test_a_symbolic_value_has_no_absolute_mode() -> None:
    assert parse_chmod("u+x").absolute is None


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("u+x", 0o644, 0o744),
        ("+x", 0o644, 0o755),
        ("a=r", 0o777, 0o444),
        ("go=", 0o777, 0o700),
        ("go-w", 0o666, 0o644),
        ("u=rw,g=r,o=", 0o777, 0o640),
        ("u=rwx,go=u-w", 0o000, 0o755),
        ("g=u", 0o741, 0o771),
        ("o+u", 0o640, 0o646),
        ("g-u", 0o670, 0o610),
        ("g+wu", 0o500, 0o570),
        ("o=ru", 0o300, 0o303),
        ("o=us", 0o700, 0o707),
        ("u+s", 0o755, 0o4755),
        ("+t", 0o755, 0o1755),
        ("o+s", 0o755, 0o755),
        ("o+t", 0o755, 0o755),
        ("u+t", 0o755, 0o1755),
        ("u+r-w", 0o200, 0o400),
        ("=", 0o777, 0o000),
        ("ug+rw,o-rwx", 0o007, 0o660),
        ("a-x,a+X", 0o755, 0o755),
        ("+X", 0o644, 0o644),
        ("+X", 0o654, 0o755),
    ],
)
def test_symbolic_values_change_files(text: str, before: int, after: int) -> None:
    assert parse_chmod(text).apply(before, is_dir=False) == after


def test_capital_x_makes_every_directory_searchable() -> None:
    assert parse_chmod("a+rX").apply(0o600, is_dir=True) == 0o755


@pytest.mark.parametrize("text", ["8", "999", "10000", "7u", "0777777777777777777"])
def test_numbers_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^invalid chmod") as raised:
        parse_chmod(text)
    assert str(raised.value) == (
        f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
    )


@pytest.mark.parametrize("text", ["", "u", "u+z", "u+r,", ",", "rwx", "u=rw g=r", "z+x", "+755"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^invalid syntax$"):
        parse_chmod(text)


@pytest.mark.parametrize("text", ["u=rwx,g=rx,o=", "a+X", "go=u-w", "ug=rw,o-x", "u+x,g-w"])
@pytest.mark.parametrize("before", [0o644, 0o755, 0o600, 0o070])
def test_the_usual_forms_agree_with_the_chmod_program(
    tmp_path: Path, text: str, before: int
) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(before)
    subprocess.run(["chmod", text, str(file)], check=True)
    assert parse_chmod(text).apply(before, is_dir=False) == os.stat(file).st_mode & 0o7777
