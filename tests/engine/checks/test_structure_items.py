"""Structure files on a real image, item by item."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.engine.test_surface import Project

DOCKERFILE = f"""\
FROM {BUSYBOX}
ENV WHO=me
RUN mkdir /srv && echo "hello" > /srv/app && chmod 4755 /srv/app
USER app
WORKDIR /srv
ENTRYPOINT ["/bin/false"]
"""
GOOD = """\
schemaVersion: 2.0.0
globalEnvVars: [{key: GREETING, value: "hi $WHO"}]
commandTests:
  - name: say
    setup: [["sh", "-c", "echo x > /tmp/x"]]
    command: sh
    args: ["-c", "cat /tmp/x; id -un; pwd; echo $GREETING; echo e >&2; exit 3"]
    expectedOutput: ["^x\\napp\\n/srv\\nhi me\\n$"]
    expectedError: ["(?m)^e$"]
    excludedError: ["x"]
    exitCode: 3
  - {name: clean, command: ls, args: [/tmp], excludedOutput: [x]}
fileExistenceTests:
  - {name: app, path: /srv/app, permissions: urwxr-xr-x, uid: 0, isExecutableBy: any}
  - {name: none, path: /none, shouldExist: false}
fileContentTests:
  - {name: app, path: /srv/app, expectedContents: ["hel+o"], excludedContents: [bye]}
metadataTest: {user: app, workdir: /srv, entrypoint: [/bin/false], cmd: [], envVars: [
  {key: WHO, value: "^m", isRegex: true}]}
"""
BAD = """\
schemaVersion: 2.0.0
commandTests:
  - {name: wrong, command: id, args: ["-un"], expectedOutput: [root]}
  - {name: missing, command: nothing}
fileExistenceTests:
  - {name: mode, path: /srv/app, permissions: -rw-r--r--}
metadataTest: {user: root}
"""


@pytest.fixture
def project(own_storage: Storage, tmp_path: Path) -> Project:
    add_busybox(own_storage, tmp_path / "busybox")
    ini = "[pytest]\nzlayer_structure_tests = api = *.yaml\n"
    files = {"api/Dockerfile": DOCKERFILE, "good.yaml": GOOD, "bad.yaml": BAD, "pytest.ini": ini}
    return Project(write_files(tmp_path / "project", files), own_storage)


def test_verdicts(project: Project) -> None:
    output = project.pytest("good.yaml", "-v", "-n2")
    assert "6 passed" in output
    output = project.pytest("bad.yaml", "--junitxml=out.xml", code=1)
    assert "4 failed" in output
    assert "api: stdout does not match 'root'" in output
    assert "api: exit code is 127, expected 0" in output
    assert "api: /srv/app has permissions urwxr-xr-x, expected -rw-r--r--" in output
    assert "api: the user is 'app', expected 'root'" in output
    assert "Traceback" not in output
    assert (project.folder / "out.xml").read_text().count("<testcase ") == 4
    assert project.storage.image_names() == [BUSYBOX]
