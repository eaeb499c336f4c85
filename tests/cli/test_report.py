"""``pytest-zlayer report``."""

from __future__ import annotations

import pytest

from pytest_zlayer.cli import main
from pytest_zlayer.report.json_file import to_json
from tests.report.runs import sample


@pytest.fixture
def shards(tmp_path):
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        file.write_text(to_json(sample().run()), encoding="utf-8")
    return [str(file) for file in files]


def test_one_page_of_several_shards(shards, tmp_path, capsys):
    assert main(["report", *shards, "-o", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Time line of one" in text
    assert "Time line of two" in text
    assert capsys.readouterr().err == f"{tmp_path / 'page.html'}: 2 runs\n"


def test_what_is_no_report_is_a_usage_error(tmp_path, capsys):
    file = tmp_path / "other.json"
    file.write_text("{}")
    assert main(["report", str(file), "-o", str(tmp_path / "page.html")]) == 2
    assert "not a report of pytest-zlayer" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_a_place_that_cannot_be_written_is_reported(shards, tmp_path, capsys):
    assert main(["report", *shards, "-o", str(tmp_path / "nowhere" / "page.html")]) == 2
    assert "cannot write" in capsys.readouterr().err
