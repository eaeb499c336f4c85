"""``pytest-zlayer lint --format gitlab``."""

from __future__ import annotations

import json

import pytest

from pytest_zlayer.cli import main


@pytest.fixture
def found(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def lint(text: str) -> list[dict]:
        (tmp_path / "Dockerfile").write_text(text)
        main(["lint", "--format", "gitlab", "Dockerfile"])
        return json.loads(capsys.readouterr().out)

    return lint


def test_a_finding_has_what_gitlab_asks_for(found):
    (one,) = found("FROM scratch\nENV TOKEN=x\n")
    assert one["check_name"] == "SecretsUsedInArgOrEnv"
    assert one["severity"] == "minor"
    assert one["location"] == {"path": "Dockerfile", "lines": {"begin": 2}}
    assert one["description"]
    assert len(one["fingerprint"]) == 64


def test_a_finding_is_the_same_on_another_line(found):
    (before,) = found("FROM scratch\nENV TOKEN=x\n")
    (after,) = found("# more\n\nFROM scratch\nENV TOKEN=x\n")
    assert before["fingerprint"] == after["fingerprint"]


def test_two_findings_are_two(found):
    two = found("FROM scratch\nENV TOKEN=x\nENV TOKEN=x\n")
    assert len({one["fingerprint"] for one in two}) == 2


def test_a_file_that_cannot_be_built_is_a_blocker(found):
    (one,) = found("FROM scratch\nRUM x\n")
    assert (one["severity"], one["location"]["lines"]["begin"]) == ("blocker", 2)


def test_nothing_found_is_an_empty_list(found):
    assert found("FROM scratch\n") == []
