"""A journal is believed only if it says what a session writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.agent.journal import Journal
from pytest_zlayer.buildah.agent.journal_check import (
    MARK,
    BadJournal,
    read_checked,
    session_named,
)

NAME = "abc-main-01234567.json"
LAYER = "a" * 64


def head(base: Path, **changes: Any) -> dict[str, Any]:
    """The first line of a journal."""
    return {**session_named(NAME, str(base)), "boot": "1", **changes}


def taken(directory: Path, *lines: object, name: str = NAME) -> Journal:
    """The journal of a dead session with these lines."""
    path = directory / "sessions" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="ascii")
    path.chmod(0o600)
    journal = Journal.take_dead(str(path))
    assert journal is not None
    return journal


LINES: list[dict[str, Any]] = [
    {"image": "localhost/mine:1"},
    {"image": "a"},
    {"drop image": "localhost/mine:1"},
    {"id": LAYER},
    {"drop id": LAYER},
    {
        "commit": "zl-abc-main-1-0a0b0c-",
        "options": ["--quiet", "--format", "oci", "--identity-label=false", "--timestamp", "0"],
    },
    {"drop commit": "zl-abc-main-1-0a0b0c-"},
    {"traces": "1", "layers": [LAYER]},
    {"traces": "2", "above": "", "since": 1.5},
    {"traces": "3", "above": LAYER, "since": 1},
    {"traces": "4", "blobs": [f"sha256:{LAYER}"], "image": None, "since": 1.5},
    {"drop traces": "1"},
]


def test_journal_of_a_session(tmp_path: Path) -> None:
    journal = taken(tmp_path, head(tmp_path), *LINES)
    session, lines = read_checked(journal, "/elsewhere")
    assert session == session_named(NAME, str(tmp_path))
    assert lines == LINES
    journal.close()


def test_journal_that_has_lost_its_content(tmp_path: Path) -> None:
    journal = taken(tmp_path)
    assert read_checked(journal, "/base") == (session_named(NAME, "/base"), [])
    journal.close()


@pytest.mark.parametrize(
    "first",
    [
        123, [], "x", None, {"prefix": 1}, {"prefix": ""}, {"prefix": "zl-"}, {"images": ""},
        {"images": "localhost/"}, {"tmpdir": ""}, {"tmpdir": "/"}, {"tmpdir": 1},
        {"tmpdir": "/var/tmp/zlayer-precious"}, {"tmpdir": "zlayer-abc-main-01234567"},
        {"tmpdir": "/x/../zlayer-abc-main-01234567"}, {"tmpdir": "/x\0/zlayer-abc-main-01234567"},
    ],
)  # fmt: skip
def test_first_line_that_would_stand_for_something_else(tmp_path: Path, first: object) -> None:
    line = head(tmp_path, **first) if isinstance(first, dict) else first
    journal = taken(tmp_path, line)
    with pytest.raises(BadJournal):
        read_checked(journal, str(tmp_path))
    journal.close()


@pytest.mark.parametrize(
    "line",
    [
        123, None, [], {}, {"unknown": "x"}, {"image": 1}, {"image": ""}, {"image": "localhost/"},
        {"image": "--all"}, {"id": "x"}, {"id": ["x"]}, {"commit": "zl-abc-main-1-"},
        {"commit": "other", "options": []}, {"commit": "zl-abc-main-1-", "options": "x"},
        {"commit": "zl-abc-main-1-", "options": ["docker://elsewhere/x"]},
        {"commit": "zl-abc-main-1-", "options": ["--signature-policy", "/etc/passwd"]},
        {"commit": "zl-abc-main-1-", "options": [1]}, {"traces": 1}, {"traces": "1", "layers": 1},
        {"traces": "1", "layers": ["x"]}, {"traces": "1", "above": 1},
        {"traces": "1", "blobs": [1]}, {"traces": "1", "image": 1}, {"traces": "1", "since": "x"},
        {"traces": "1", "more": 1},
    ],
)  # fmt: skip
def test_line_that_no_session_writes(tmp_path: Path, line: object) -> None:
    journal = taken(tmp_path, head(tmp_path), line)
    with pytest.raises(BadJournal, match=r"^line 2 is not one that a session writes$"):
        read_checked(journal, str(tmp_path))
    journal.close()


def test_name_of_no_journal(tmp_path: Path) -> None:
    journal = taken(tmp_path, name="x.json")
    with pytest.raises(BadJournal, match="its name is not that of a journal"):
        read_checked(journal, str(tmp_path))
    journal.close()


@pytest.mark.parametrize("mark", [None, "another.json"])
def test_directory_of_somebody_else(tmp_path: Path, mark: str | None) -> None:
    directory = tmp_path / "zlayer-abc-main-01234567"
    directory.mkdir()
    (directory / "precious").touch()
    if mark is not None:
        (directory / MARK).write_text(mark, encoding="ascii")
    journal = taken(tmp_path, head(tmp_path))
    with pytest.raises(BadJournal, match="is not the directory of this session"):
        read_checked(journal, str(tmp_path))
    journal.close()


@pytest.mark.parametrize("mark", [NAME, "", "\0" * 22])
def test_directory_of_the_session(tmp_path: Path, mark: str) -> None:
    directory = tmp_path / "zlayer-abc-main-01234567"
    directory.mkdir()
    (directory / "file").touch()
    (directory / MARK).write_text(mark, encoding="ascii")
    journal = taken(tmp_path, head(tmp_path))
    assert read_checked(journal, str(tmp_path))[1] == []
    journal.close()


def test_link_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    os.symlink(tmp_path / "precious", tmp_path / "zlayer-abc-main-01234567")
    journal = taken(tmp_path, head(tmp_path))
    with pytest.raises(BadJournal, match="is not a directory of this user"):
        read_checked(journal, str(tmp_path))
    journal.close()
