"""Journals: alive as long as somebody holds the lock, whichever process that is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent.cleaning import _names_in, _remove_containers
from pytest_zlayer.buildah.agent.files.removal import remove_tree
from pytest_zlayer.buildah.agent.journal import Journal, is_dead
from pytest_zlayer.buildah.agent.leftovers import Leftovers
from pytest_zlayer.buildah.agent.records import StorageOptions, unnamed_twins


def close(journal: Journal) -> None:
    journal.close()


def test_living_session_is_not_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "sessions" / "a.json")
    journal = Journal.create(path, {"a": 1})
    assert Journal.take_dead(path) is None
    close(journal)


def test_dead_session_is_taken_once(tmp_path: Path) -> None:
    path = str(tmp_path / "a.json")
    close(Journal.create(path, {"a": 1}))
    taken = Journal.take_dead(path)
    assert taken is not None
    assert Journal.take_dead(path) is None
    taken.remove()
    assert os.listdir(tmp_path) == []


def test_lines_come_back(tmp_path: Path) -> None:
    journal = Journal.create(str(tmp_path / "a.json"), {"a": 1})
    journal.add({"image": "x"})
    assert list(journal.lines()) == [{"a": 1}, {"image": "x"}]
    close(journal)


def test_line_cut_off_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    journal = Journal.create(str(path), {"a": 1})
    with path.open("ab") as file:
        file.write(b'{"image": "loc')
    assert list(journal.lines()) == [{"a": 1}]
    close(journal)


def test_line_that_a_full_disk_cuts_off_takes_none_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.create(str(tmp_path / "a.json"), {"a": 1})
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:5]))
        with pytest.raises(OSError, match="No space left on device"):
            journal.add({"image": "x"})
    journal.add({"image": "y"})
    assert list(journal.lines()) == [{"a": 1}, {"image": "y"}]
    close(journal)


def test_journal_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda *_: 0)
    with pytest.raises(OSError, match="No space left on device"):
        Journal.create(str(tmp_path / "a.json"), {"a": 1})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["missing", "link", "fifo", "directory", "writable"])
def test_what_is_no_journal_is_not_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("writable")
    (tmp_path / "writable").touch()
    (tmp_path / "writable").chmod(0o622)
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    assert Journal.take_dead(str(tmp_path / name)) is None
    assert not is_dead(str(tmp_path / name))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_journal_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "a.json")
    close(Journal.create(path, {"a": 1}))
    assert is_dead(path)
    os.chown(path, 12345, 12345)
    assert Journal.take_dead(path) is None
    assert not is_dead(path)


@pytest.mark.parametrize("line", ["[" * 100_000, "\0" * 100, '{"image": "loc', "1" * 5_000])
def test_what_a_crash_has_torn_is_left_out_with_all_after_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.json"
    journal = Journal.create(str(path), {"a": 1})
    with path.open("a") as file:
        file.write(f'{line}\n{{"image": "x"}}\n')
    assert list(journal.lines()) == [{"a": 1}]
    close(journal)


def test_only_images_of_the_session_match() -> None:
    left = Leftovers("", StorageOptions("", "", ""), {}, "", "")
    for line in ({"image": "localhost/a:1"}, {"image": "localhost/s/"}, {"id": "77"}):
        left.note(line)
    left.note({"image": "localhost/b:1"})
    left.note({"drop image": "localhost/b:1"})
    images = [
        {"id": "sha256:1", "names": ["localhost/a:1", "localhost/a:2"]},
        {"id": "sha256:2", "names": ["localhost/s/x:latest", "localhost/sx:1"]},
        {"id": "sha256:3", "names": ["localhost/b:1"]},
        {"id": "sha256:77", "names": None},
        {"id": "sha256:78", "names": []},
    ]
    found = [name for image in images for name in _names_in(left, image, left.ids)]
    assert found == ["localhost/a:1", "localhost/s/x:latest", "77"]


def test_a_storage_that_never_had_a_container_is_not_asked_for_them(tmp_path: Path) -> None:
    storage = StorageOptions(str(tmp_path), str(tmp_path / "run"), "overlay")
    left = Leftovers("false", storage, {**os.environ}, "zl-", "")
    assert _remove_containers(left) == ["containers could not be listed: "]
    (tmp_path / "overlay-images").mkdir()
    (tmp_path / "overlay-images" / "images.json").write_text("[]")
    assert _remove_containers(left) == []


def test_tree_is_removed_with_what_cannot_be_listed(tmp_path: Path) -> None:
    (tmp_path / "t" / "closed").mkdir(parents=True)
    (tmp_path / "t" / "closed" / "file").touch()
    (tmp_path / "t" / "link").symlink_to(tmp_path)
    (tmp_path / "t" / "closed").chmod(0)
    remove_tree(str(tmp_path / "t"))
    assert os.listdir(tmp_path) == []


def test_earlier_tries_of_a_commit_are_found() -> None:
    images = [
        {"id": "new", "layer": "7", "names": ["localhost/a:1"]},
        {"id": "torn", "layer": "7"},
        {"id": "named", "layer": "7", "names": ["localhost/b:1"]},
        {"id": "other", "layer": "8"},
        {"id": "empty"},
    ]
    assert unnamed_twins(images, "new") == ["torn"]
    assert unnamed_twins(images, "unknown") == []
