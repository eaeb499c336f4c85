"""Values that stand in no report."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_zlayer import events
from pytest_zlayer.builder.model.masker import Masker, hidden_values, looks_random
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.waiting import in_background


def test_a_value_is_hidden_wherever_it_stands():
    masker = Masker()
    masker.hide(["s3cret", "s3cret-longer"])
    assert masker.text("a s3cret-longer and a s3cret") == "a *** and a ***"


def test_of_a_file_each_line_is_hidden():
    masker = Masker()
    masker.hide(["user: alice\n  password: hunter2\n\n}\n"])
    assert masker.text("password: hunter2") == "***"
    assert masker.text("}") == "}"


def test_a_secret_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    spec = ImageSpec(secrets={"a": str(tmp_path / "fifo"), "b": "/dev/zero"})
    assert in_background(lambda: list(hidden_values(spec, {})), "hidden").result(60) == []


def test_events_are_reported_without_it():
    masker = Masker()
    masker.hide(["hunter2"])
    line = events.OutputLine(
        build_id="1", image="api", stage="a", number=1, stream="stdout", text="it is hunter2"
    )
    assert masker.event(line).text == "it is ***"
    plain = events.Pulling(build_id="1", image="api", reference="alpine")
    assert masker.event(plain) is plain


def test_passwords_in_addresses_are_hidden_unasked():
    assert Masker().text("GET https://me:pw@host/x") == "GET https://***@host/x"


@pytest.mark.parametrize(
    ("value", "random"),
    [
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", True),
        ("3.12", False),
        ("bookworm", False),
        ("docker.io/library/python:3.12-slim", False),
        ("registry-example-com", False),
    ],
)
def test_what_looks_like_a_token(value, random):
    assert looks_random(value) is random
