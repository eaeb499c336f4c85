"""How images differ, and what their snapshots hold."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pytest_zlayer.checks.difference import ImageDiff, compare
from pytest_zlayer.checks.snapshot import snapshot
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig, Words
from tests.checks.subject import HistoryEntry, make

OLD = {"etc/same": "1", "etc/text": "abc", "etc/gone": "", "etc/mode": "x", "dir": None}
DIR = "(type directory -> file, mode 0755 -> 0644, size 0 B -> 3 B)"
NEW = {"etc/same": "1", "etc/text": "abd", "etc/mode": "x", "new/file": "12345", "dir": "now"}


def differing(tmp_path: Path) -> ImageDiff:
    old = make(tmp_path / "old", OLD, config=ImageConfig(env={"A": "1"}, user=""))
    new = make(tmp_path / "new", NEW, config=ImageConfig(env={"A": "2", "B": "3"}, user="app"))
    for path in [*tmp_path.rglob("*")]:
        os.utime(path, (1, len(path.name)))
        path.chmod(0o755 if path.is_dir() else 0o644)
    (tmp_path / "new/etc/mode").chmod(0o600)
    (tmp_path / "new/link").symlink_to("etc")
    return compare(old, new)


def test_what_is_added_removed_and_changed(tmp_path: Path) -> None:
    diff = differing(tmp_path)
    assert diff
    assert [one.path for one in diff.added] == ["/link", "/new", "/new/file"]
    assert [one.path for one in diff.removed] == ["/etc/gone"]
    assert [one.path for one in diff.changed] == ["/dir", "/etc/mode", "/etc/text"]
    assert [one.type for one in diff.added] == ["symlink", "directory", "file"]
    added = diff.added[2]
    assert (added.size, added.mode, added.uid) == (5, 0o644, os.getuid())
    assert added.digest == (
        "sha256:5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
    )
    assert diff.config == {"env": ({"A": "1"}, {"A": "2", "B": "3"}), "user": ("", "app")}
    assert "/etc/text" in diff.paths


def test_the_table(tmp_path: Path) -> None:
    owner = f"{os.getuid()}:{os.getgid()}"
    lines = [" ".join(line.split()) for line in str(differing(tmp_path)).splitlines()]
    assert lines == [
        f"changed -rw-r--r-- {owner} 3 B /dir {DIR}",
        f"removed -rw-r--r-- {owner} 0 B /etc/gone",
        f"changed -rw------- {owner} 1 B /etc/mode (mode 0644 -> 0600)",
        f"changed -rw-r--r-- {owner} 3 B /etc/text (content)",
        f"added lrwxrwxrwx {owner} /link -> etc",
        f"added drwxr-xr-x {owner} /new",
        f"added -rw-r--r-- {owner} 5 B /new/file",
        "config env A: '1' -> '2'",
        "config env B: not set -> '3'",
        "config user: '' -> 'app'",
    ]


def test_equal_images_differ_in_nothing(tmp_path: Path) -> None:
    diff = compare(make(tmp_path / "old", OLD), make(tmp_path / "new", OLD))
    assert not diff
    assert str(diff) == "no difference"
    assert diff == ImageDiff()


def test_a_snapshot_is_plain_and_stable(tmp_path: Path) -> None:
    config = ImageConfig(env={"B": "2", "A": "1"}, cmd=Words(["serve"]))
    history = [HistoryEntry("RUN it")]
    apk = {"lib/apk/db/installed": "P:musl\nV:1\n\n", "bin/app": "x"}
    subject = make(tmp_path, apk, config=config, history=history)
    (tmp_path / "bin/app").chmod(0o755)
    found = snapshot(subject, files=False)
    assert found == {
        "config": {"cmd": ["serve"], "env": {"A": "1", "B": "2"}},
        "history": ["RUN it"],
        "packages": {"musl": "1"},
    }
    assert json.loads(json.dumps(found)) == found
    assert list(found["config"]["env"]) == ["A", "B"]
    app = snapshot(subject, files=True)["files"]["/bin/app"]
    assert app["mode"] == "0755"
    assert app["sha256"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
