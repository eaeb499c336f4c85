"""``ps --remote`` and ``prune --remote``: what lies in a cache place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_zlayer.builder.remote.directory import DirectoryCache
from pytest_zlayer.cli import main
from tests.builder.remote.test_directory import key, made, nothing


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with an old entry and one from the future."""
    for number, created in ((1, 1e9), (2, 4e9)):
        entry, blobs = made(tmp_path, str(number), created=created)
        DirectoryCache(tmp_path / "place").send(entry, blobs, [key(number)], nothing)
    return tmp_path / "place"


def test_entries_are_listed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps", "--remote", f"dir:{place}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in found} == {key(1), key(2)}
    assert {one["kind"] for one in found} == {"remote layers"}


def test_old_entries_are_removed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "--remote", f"dir:{place}", "--max-age", "30d"]) == 0
    assert key(1) in capsys.readouterr().out
    assert DirectoryCache(place).keys() == {key(2)}


def test_nothing_old_is_reported(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "--remote", f"dir:{place}", "--max-age", "5000w"]) == 0
    assert capsys.readouterr().out == "there was nothing to remove\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ps", "--remote", "nowhere"], "--remote: expected dir:PATH or REGISTRY/REPOSITORY"),
        (["ps", "--remote", "dir:/no/such"], "there is no such directory"),
        (["prune", "--remote", "dir:.", "--max-age", "5"], "--max-age: expected a time"),
    ],
)
def test_mistakes_are_usage_errors(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err
