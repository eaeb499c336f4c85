"""Sweeping costs nothing where there is nothing to sweep, and believes no journal unseen."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import cast

import pytest

from pytest_zlayer.buildah.agent.journal import Journal
from pytest_zlayer.buildah.agent.journal_check import MARK, session_named
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.opening.sweep import sweep
from pytest_zlayer.buildah.opening.unfinished import remove_unfinished
from pytest_zlayer.buildah.process.agent_process import agent_argv
from pytest_zlayer.buildah.process.runner import Runner
from pytest_zlayer.buildah.storage.info import StorageInfo


@pytest.fixture
def storage(tmp_path: Path) -> StorageInfo:
    found = StorageInfo(tmp_path / "root", tmp_path / "runroot", "overlay")
    found.sessions.mkdir(parents=True, mode=0o700)
    for kind in ("layers", "images", "containers"):
        folder = found.root / f"overlay-{kind}"
        folder.mkdir()
        (folder / f"{kind}.json").write_text("[]", encoding="ascii")
    return found


@pytest.mark.parametrize("journals", [(), ("own.json",), ("own.json", "other.json")])
def test_no_process_is_started_while_all_sessions_live(
    storage: StorageInfo, journals: tuple[str, ...]
) -> None:
    commander = Commander(cast("Runner", None), Path("/buildah"), {})
    living = [Journal.create(str(storage.sessions / name), {}) for name in journals]
    assert sweep(commander, storage, storage.sessions / "own.json") == ()
    for journal in living:
        journal.remove()


def test_what_is_no_journal_is_reported(storage: StorageInfo) -> None:
    os.mkfifo(storage.sessions / "aaa-main-00000000.json")
    (storage.sessions / "bbb-main-00000000.json").symlink_to("/etc/passwd")
    (storage.sessions / "ccc").mkdir()
    commander = Commander(cast("Runner", None), Path("/buildah"), {})
    found = {
        one.journal.name: one.problems
        for one in sweep(commander, storage, storage.sessions / "own.json")
    }
    assert found == dict.fromkeys(
        ["aaa-main-00000000.json", "bbb-main-00000000.json", "ccc"],
        ("it is not trusted: it is no file of this user",),
    )


def swept(storage: StorageInfo, base: Path) -> dict[str, list[str]]:
    """What the command that sweeps says, by the name of the journal."""
    order = {
        "sessions": str(storage.sessions), "binary": "/bin/false",
        "storage": asdict(storage.options), "env": {"TMPDIR": str(base / "own")},
    }  # fmt: skip
    done = subprocess.run(
        agent_argv("sweep"), input=json.dumps(order), capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    return {os.path.basename(one["journal"]): one["problems"] for one in reports}


def dead_session(storage: StorageInfo, base: Path, name: str) -> Path:
    """A session that has left nothing but its journal and its directory; the latter."""
    path = storage.sessions / name
    session = session_named(name, str(base))
    path.write_text(json.dumps(session) + "\n", encoding="ascii")
    path.chmod(0o600)
    directory = Path(session["tmpdir"])
    directory.mkdir(mode=0o700)
    (directory / "file").touch()
    (directory / MARK).write_text(name, encoding="ascii")
    return directory


def test_bad_journals_are_left_and_reported_and_the_others_are_swept(
    storage: StorageInfo, tmp_path: Path
) -> None:
    base = tmp_path / "tmp"
    base.mkdir()
    directory = dead_session(storage, base, "zzz-main-00000000.json")
    precious = base / "zlayer-precious"
    precious.mkdir()
    os.mkfifo(storage.sessions / "aaa-main-00000000.json")
    planted = {
        "bbb-main-00000000.json": 123,
        "ccc-main-00000000.json": {
            "prefix": "zl-x-", "images": "localhost/zlayer/session/x/", "tmpdir": str(precious),
        },
    }  # fmt: skip
    for name, line in planted.items():
        path = storage.sessions / name
        path.write_text(json.dumps(line) + "\n", encoding="ascii")
        path.chmod(0o600)
    assert swept(storage, base) == {
        "bbb-main-00000000.json": ["it is not trusted: its first line is no object"],
        "ccc-main-00000000.json": ["it is not trusted: it is not the journal of 'zlayer-precious'"],
        "zzz-main-00000000.json": [],
    }
    assert precious.is_dir()
    assert not directory.exists()
    assert sorted(os.listdir(storage.sessions)) == [
        "aaa-main-00000000.json", *planted,
    ]  # fmt: skip


def test_unfinished_files_of_dead_writers_go(storage: StorageInfo) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    names = ["sessions/a.json.{}.new", "answers.json.{}"]
    for pid in (gone.pid, os.getpid()):
        for name in names:
            (storage.state / name.format(pid)).touch()
    remove_unfinished(storage)
    left = [
        name.format(pid)
        for pid in (gone.pid, os.getpid())
        for name in names
        if (storage.state / name.format(pid)).exists()
    ]
    assert left == [name.format(os.getpid()) for name in names]
    for name in left:
        os.utime(storage.state / name, (0, 0))
    remove_unfinished(storage)
    assert os.listdir(storage.state) == ["sessions"]
    assert os.listdir(storage.sessions) == []
