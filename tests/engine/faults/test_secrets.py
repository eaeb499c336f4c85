"""Secrets are where they are needed while they are needed, and nowhere else, ever."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace

CANARIES = {
    "file": "canary-file-5c1d",
    "env": "canary-env-77aa",
    "hidden": "canary-variable-90ff",
    "registry": "canary-registry-3e3e",
    "proxy": "canary-proxy-1b2c",
    "argument": "canary-argument-4e4e",
    "other": "canary-environment-0d0d",
}

TEST = f"""
import pytest

TEXT = '''FROM {BUSYBOX}
ARG TOKEN
RUN --mount=type=secret,id=file,required --mount=type=secret,id=env,required \\\\
    --mount=type=secret,id=hidden,env=HIDDEN,required \\\\
    test $TOKEN && wc -c /run/secrets/file /run/secrets/env && \\\\
    test ${{{{#HIDDEN}}}} -gt 9 && sleep 0.4
RUN --mount=type=secret,id=file cp /run/secrets/file /tmp/f; {{action}}
'''

@pytest.mark.image(
    text=TEXT, secrets={{{{"file": "secret.txt", "env": "env:SECRET", "hidden": "env:HIDDEN"}}}},
    build_args={{{{"TOKEN": "{CANARIES["argument"]}"}}}},
)
def test_it(zlayer_image):
    assert not zlayer_image.path("/run/secrets").exists()
    with pytest.raises(Exception):
        zlayer_image.push("127.0.0.1:9/private/image:1")
"""


@contextmanager
def watching(found: set[str]) -> Iterator[None]:
    """Look at all command lines again and again, and note the canaries that stand on one."""
    stop = threading.Event()
    marks = {name: value.encode() for name, value in CANARIES.items()}

    def look() -> None:
        while not stop.wait(0.004):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                found.update(name for name, mark in marks.items() if mark in line)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def files_with_canaries(workspace: Workspace) -> list[str]:
    """Files of the storage, of TMPDIR, logs and reports that hold one."""
    ours = [value.encode() for value in CANARIES.values()]
    ours += [base64.b64encode(f"me:{CANARIES['registry']}".encode())]
    # What declares the build argument holds it, of course.
    given = {
        workspace.folder / "project" / "test_it.py",
        workspace.folder / "project" / "secret.txt",
        workspace.folder / "auth.json",
    }
    found = []
    for path in workspace.folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in given:
            content = path.read_bytes()
            found += [f"{path.name}: {one!r}" for one in ours if one in content]
    return found


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
@pytest.mark.parametrize(
    ("action", "code"),
    [("rm /tmp/f", 0), ("rm /tmp/f; exit 7", 1)],
    ids=["green", "failed"],
)
def test_canaries_are_found_nowhere(
    workspace: Workspace, isolation: str, action: str, code: int
) -> None:
    workspace.project(test_it=TEST.format(action=action))
    (workspace.folder / "project" / "secret.txt").write_text(CANARIES["file"], encoding="ascii")
    login = base64.b64encode(f"me:{CANARIES['registry']}".encode()).decode()
    auth = workspace.folder / "auth.json"
    auth.write_text(json.dumps({"auths": {"127.0.0.1:9": {"auth": login}}}), encoding="ascii")
    seen: set[str] = set()
    with watching(seen):
        workspace.pytest(
            "--zlayer-cache=session", "--junit-xml=junit.xml", "-vv",
            f"--zlayer-isolation={isolation}", f"--zlayer-authfile={auth}",
            code=code,
            SECRET=CANARIES["env"],
            HIDDEN=CANARIES["hidden"],
            OTHER=CANARIES["other"],
            https_proxy=f"http://me:{CANARIES['proxy']}@127.0.0.1:9",
        )  # fmt: skip
    assert seen == set()
    assert files_with_canaries(workspace) == []
