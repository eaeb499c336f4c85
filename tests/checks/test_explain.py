"""What is said of a plain ``assert`` that failed."""

from __future__ import annotations

import pytest

from pytest_zlayer.builder.image.path import FileStat, Mode
from pytest_zlayer.builder.oci.config import read_config
from pytest_zlayer.checks.difference import ImageDiff
from pytest_zlayer.checks.explain import explain
from pytest_zlayer.checks.packages.read import Packages
from pytest_zlayer.checks.packages.record import Package

CONFIG = read_config(
    {"config": {"Env": ["PORT=80"], "Labels": {"a.b": "c"}, "Cmd": ["x", "y"], "User": "app"}}
)


@pytest.mark.parametrize(
    ("operator", "left", "right", "lines"),
    [
        ("in", "PROT", CONFIG.env, ["there is no variable PROT", "near: PORT"]),
        ("in", "z", CONFIG.labels, ["there is no label z", "there are: a.b"]),
        ("==", CONFIG.env, {"PORT": "81"}, ["the variables differ:", "PORT: '80', expected '81'"]),
        ("==", CONFIG.labels, {}, ["the labels differ:", "a.b: 'c', expected none"]),
        ("==", CONFIG.cmd, ["x", "z"], ["word 2 is 'y', expected 'z'"]),
        ("==", CONFIG.cmd, ["x"], ["more than expected: ['y']"]),
        ("==", CONFIG.cmd, ["x", "y", "z"], ["missing: ['z']"]),
        ("==", Mode(0o640), 0o644, ["mode 0640, expected 0644"]),
        ("==", ImageDiff(), ImageDiff(config={"user": ("", "a")}),
         ["the differences are not the same:", "no difference", "and",
          "config   user: '' -> 'a'"]),
        ("==", 1, 2, None),
        ("!=", Mode(1), 1, None),
    ],
)  # fmt: skip
def test_what_differs_is_reported(
    operator: str, left: object, right: object, lines: list[str] | None
) -> None:
    assert explain(operator, left, right) == lines


def test_configurations_are_reported_field_by_field() -> None:
    other = read_config({"config": {"Env": ["PORT=80"], "User": "root"}})
    lines = explain("==", CONFIG, other) or []
    assert "config   user: 'app' -> 'root'" in lines
    assert "config   labels a.b: 'c' -> not set" in lines


def test_facts_of_files_are_reported_in_octal() -> None:
    one, two = (FileStat("file", Mode(mode), 0, 0, 1, 2.0) for mode in (0o600, 0o644))
    assert explain("==", one, two) == ["the files differ:", "mode 0600, expected 0644"]


def test_a_package_that_is_not_there() -> None:
    packages = Packages(zlib1g=Package("zlib1g", "1", "amd64", "deb"))
    assert explain("in", "zlib", packages) == ["there is no package zlib", "near: zlib1g"]


def test_a_name_that_is_not_there_is_reported_at_once() -> None:
    with pytest.raises(KeyError, match=r"there is no variable PROT \(did you mean PORT\?\)"):
        CONFIG.env["PROT"]
    assert CONFIG.env.get("PROT") is None


def test_the_difference_in_few_words() -> None:
    diff = ImageDiff(config={"user": ("", "a")})
    assert repr(diff) == "<ImageDiff: 0 added, 0 removed, 0 changed: config user>"
