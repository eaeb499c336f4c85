"""Texts of options and the values they become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.inputs import option_values as values

Convert = Callable[[str], Any]


@pytest.mark.parametrize(
    ("convert", "text", "value"),
    [
        (values.to_text, "  a b ", "a b"),
        (values.to_program, "buildah", "buildah"),
        (values.to_program, " buildah ", "buildah"),
        (values.to_count, "0", 0),
        (values.to_count, " 12 ", 12),
        (values.to_count, "999999999", 999_999_999),
        (values.to_seconds, "0", 0.0),
        (values.to_seconds, " 1.5 ", 1.5),
        (values.to_factor, "1", 1.0),
        (values.to_factor, "2.5", 2.5),
        (values.to_limit, "0", None),
        (values.to_limit, "0.5", 0.5),
        (values.to_prebuild, " Only ", "only"),
        (values.to_prebuild, "YES", "on"),
        (values.to_prebuild, "0", "off"),
        (values.to_structure, " api = a.yaml   b.yaml ", "api=a.yaml b.yaml"),
        (values.to_structure, "ref:x=y=z.yaml", "ref:x=y=z.yaml"),
        (values.to_structure, "api = a=b.yaml", "api=a=b.yaml"),
        (values.to_identifier, " container_image ", "container_image"),
        (values.to_patterns, "true", "on"),
        (values.to_patterns, "", "off"),
        (values.to_patterns, " */Dockerfile  x ", "*/Dockerfile x"),
        (values.to_listing, " JSON ", "json"),
        (values.to_listing, "text", "text"),
        (values.to_listing, "on", "text"),
        (values.to_listing, "no", None),
        (values.to_span, "90s", 90.0),
        (values.to_span, "2 M", 120.0),
        (values.to_span, "1.5h", 5400.0),
        (values.to_span, "1d", 86400.0),
        (values.to_span, " 2w ", 14 * 86400.0),
        (values.to_size, "512", 512),
        (values.to_size, "512b", 512),
        (values.to_size, "1k", 1000),
        (values.to_size, "1.5MB", 1_500_000),
        (values.to_size, "2 g", 2 * 10**9),
        (values.to_size, "1tb", 10**12),
        (values.to_size, "1KiB", 1024),
        (values.to_size, "2MiB", 2 * 1024**2),
        (values.to_size, "10 GiB", 10 * 1024**3),
        (values.to_size, "1Ti", 1024**4),
        (values.to_pair, " A =1=2 ", ("A", "1=2 ")),
        (values.to_pair, "A=", ("A", "")),
        (values.to_context_pair, "a=docker-image://x", ("a", "docker-image://x")),
        (values.to_context_pair, "a=https://x/y.git", ("a", "https://x/y.git")),
        (values.to_context_pair, "a=oci-archive:x.tar", ("a", "oci-archive:x.tar")),
        (values.to_context_pair, "a=docker-archive:x.tar", ("a", "docker-archive:x.tar")),
        (values.to_context_pair, "a=oci:x", ("a", "oci:x")),
        (values.to_context_pair, "a=dir:x", ("a", "dir:x")),
    ],
)
def test_a_text_becomes_its_value(convert: Convert, text: str, value: Any) -> None:
    assert convert(text) == value


def test_one_of_some_words_is_taken_and_the_refusal_names_them() -> None:
    convert = values.one_of(("a", "b"))
    assert convert("b") == "b"
    with pytest.raises(ValueError, match=r"^expected one of a, b$"):
        convert("c")


@pytest.mark.parametrize("text", ["1", "true", "Yes", " ON "])
def test_words_for_true(text: str) -> None:
    assert values.to_switch(text) is True


@pytest.mark.parametrize("text", ["0", "false", "No", " OFF ", ""])
def test_words_for_false(text: str) -> None:
    assert values.to_switch(text) is False


@pytest.mark.parametrize(
    ("convert", "text", "problem"),
    [
        (values.to_text, " ", "expected some text"),
        (values.to_path, "", "expected some text"),
        (values.to_program, " ", "expected some text"),
        (values.to_path, "~no-one/a", "expected a path: there is no such home directory"),
        (values.to_program, "~no-one/a", "expected a path: there is no such home directory"),
        (values.to_place, "dir:", "expected dir:PATH or REGISTRY/REPOSITORY"),
        (values.to_place, " ", "expected dir:PATH or REGISTRY/REPOSITORY"),
        (values.to_report, "x.txt", "expected a file that ends in .html or .json"),
        (values.to_count, "-1", "expected a whole number of 0 or more"),
        (values.to_count, "1.0", "expected a whole number of 0 or more"),
        (values.to_count, "1" * 10, "expected a whole number of 0 or more"),
        (values.to_seconds, "-0.1", "expected a number of seconds, 0 or more"),
        (values.to_seconds, "soon", "expected a number of seconds, 0 or more"),
        (values.to_seconds, "inf", "expected a number of seconds, 0 or more"),
        (values.to_seconds, "nan", "expected a number of seconds, 0 or more"),
        (values.to_factor, "0.9", "expected a number of 1 or more"),
        (values.to_limit, "-1", "expected a number of seconds, 0 or more"),
        (values.to_switch, "maybe", "expected true or false"),
        (values.to_prebuild, "maybe", "expected on, off or only"),
        (values.to_structure, "api", "expected IMAGE = FILE…"),
        (values.to_structure, "api = ", "expected IMAGE = FILE…"),
        (values.to_structure, " = x.yaml", "expected IMAGE = FILE…"),
        (values.to_identifier, "a-b", "expected a Python identifier"),
        (values.to_identifier, "class", "expected a Python identifier"),
        (values.to_listing, "xml", "expected text or json"),
        (values.to_span, "12", "expected a time such as 12h or 14d"),
        (values.to_span, "-1h", "expected a time such as 12h or 14d"),
        (values.to_span, "1y", "expected a time such as 12h or 14d"),
        (values.to_size, "big", "expected a size such as 500MB or 10GiB"),
        (values.to_size, "1iB", "expected a size such as 500MB or 10GiB"),
        (values.to_size, "9" * 400, "expected a size such as 500MB or 10GiB"),
        (values.to_pair, "A", "expected NAME=VALUE"),
        (values.to_pair, " =1", "expected NAME=VALUE"),
        (values.to_context_pair, "=x", "expected NAME=VALUE"),
    ],
)
def test_what_has_no_value_is_refused_in_words(convert: Convert, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^expected ") as caught:
        convert(text)
    # A place says in parentheses what is wrong with it.
    assert str(caught.value).partition(" (")[0] == problem


def test_relative_paths_start_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert values.to_path(" a/b ") == tmp_path / "a" / "b"
    assert values.to_path("~/a") == Path("/home/ada/a")
    assert values.to_program("bin/buildah") == str(tmp_path / "bin/buildah")
    assert values.to_program("~/buildah") == "/home/ada/buildah"
    assert values.to_report("out/r.html") == tmp_path / "out/r.html"
    assert values.to_report("r.json") == tmp_path / "r.json"
    assert values.to_context_pair("a=files") == ("a", str(tmp_path / "files"))
    assert values.to_place("dir:cache") == values.to_place(f"dir:{tmp_path}/cache")


def test_a_directory_for_output_may_have_to_be_made(tmp_path: Path) -> None:
    assert values.to_output_directory(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^expected a directory that can be written$"):
        values.to_output_directory(str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"^expected a directory that can be written$"):
        values.to_output_directory("x" * 300)
