"""Journals that no session has written: nothing they name is touched, and the others are swept."""

from __future__ import annotations

import json
import os

from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace


def test_planted_journals_are_reported_by_ps_and_keep_nobody(workspace: Workspace) -> None:
    sessions = workspace.storage.root / "zlayer" / "sessions"
    sessions.mkdir(exist_ok=True)
    precious = workspace.folder / "zlayer-precious"
    precious.mkdir()
    os.mkfifo(sessions / "aaa-main-00000000.json")
    planted = {
        "bbb-main-00000000.json": "123\n",
        "ccc-main-00000000.json": json.dumps(
            {
                "prefix": "zl-x-",
                "images": "localhost/zlayer/session/x/",
                "tmpdir": str(precious),
            }
        )
        + "\n",
    }
    for name, text in planted.items():
        (sessions / name).write_text(text, encoding="ascii")
        (sessions / name).chmod(0o600)
    # And one session that is really dead, of which only the container is left.
    (sessions / "zzz-main-00000000.json").touch(0o600)
    workspace.storage.buildah("from", "--name", "zl-zzz-main-1-000000-", BUSYBOX)
    workspace.write(Dockerfile="")
    output = workspace.start_program("pytest_zlayer", "ps").end(0)
    reasons = {
        "aaa": "it is no file of this user",
        "bbb": "its first line is no object",
        "ccc": "it is not the journal of 'zlayer-precious'",
    }
    for name, reason in reasons.items():
        path = sessions / f"{name}-main-00000000.json"
        assert f"dead session  {path}\n" in output
        assert f"{path}: it is not trusted: {reason}\n" in output
    assert precious.is_dir()
    assert workspace.storage.container_names() == []
    assert sorted(os.listdir(sessions)) == ["aaa-main-00000000.json", *planted]
    for name in os.listdir(sessions):
        (sessions / name).unlink()
    precious.rmdir()
