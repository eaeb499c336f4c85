"""The JSON file: what is written is read again, the schema describes it, mistakes are reported."""

from __future__ import annotations

import json

import jsonschema
import pytest

from pytest_zlayer.errors import UsageError
from pytest_zlayer.report.json_file import read_json, to_json

from .runs import sample
from .write_schema import SCHEMA, schema


def test_a_run_is_read_as_it_was_written(tmp_path):
    run = sample().run(exit_status=1, environment={"buildah": "1.28.2"})
    file = tmp_path / "report.json"
    file.write_text(to_json(run), encoding="utf-8")
    again = read_json(file)
    assert to_json(again) == to_json(run)
    assert again.builds[0].stages[0].steps[1].retries[0].reason == "exit code 7"


def test_the_schema_that_is_shipped_is_that_of_the_model():
    # To write it anew: python -m tests.report.write_schema
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema()


def test_the_schema_describes_the_file():
    reported = json.loads(to_json(sample().run()))
    jsonschema.Draft202012Validator(schema()).validate(reported)
    reported["builds"][0]["state"] = "nearly"
    assert not jsonschema.Draft202012Validator(schema()).is_valid(reported)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a report of pytest-zlayer"),
        ('{"format": "pytest-zlayer report", "version": 99}', "a report of version 99"),
        ('{"format": "pytest-zlayer report", "version": 1}', "top: .*required"),
        (
            '{"format": "pytest-zlayer report", "version": 1, "started": 0, "seconds": "1"}',
            "seconds: unexpected '1'",
        ),
        (
            (
                '{"format": "pytest-zlayer report", "version": 1, "started": 0, "seconds": 1,'
                ' "builds": [7]}'
            ),
            r"builds\[0\]: expected an object, not 7",
        ),
    ],
)
def test_what_is_no_report_is_reported(tmp_path, text, message):
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_json(file)


def test_a_file_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_json(tmp_path / "nowhere.json")
