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


OPTIONS = """\
schemaVersion: 2.0.0
commandTests:
  - name: capabilities
    setup: [["sh", "-c", "test -t 1; echo setup $? > /tmp/setup"]]
    command: sh
    args: ["-c", "cat /tmp/setup; grep ^CapEff: /proc/self/status"]
    expectedOutput: ["^setup 1\\r\\n", "CapEff:\\t[0-9a-f]{11}[89a-f][13579bdf][0-9a-f]{3}\\r\\n$"]
  - name: terminal
    command: sh
    args: ["-c", "tty; env | grep ^TERM=; echo error >&2; cat"]
    expectedOutput: ["^/dev/pts/[0-9]+\\r\\nTERM=xterm\\r\\nerror\\r\\n$"]
    excludedError: ["."]
  - name: mounts
    command: sh
    args: ["-c", "cat /mnt/in; echo x > /mnt/in"]
    exitCode: 1
    expectedOutput: ["^given\\r\\n", "Read-only file system"]
containerRunOptions:
  user: root
  allocateTty: true
  capabilities: [net_admin, CAP_SYS_PTRACE]
  bindMounts: ["given:/mnt:ro"]
"""
PRIVILEGED = """\
schemaVersion: 2.0.0
commandTests:
  - name: mounts
    command: sh
    args: ["-c", "mount -t tmpfs none /srv && umount /srv && echo mounted"]
    expectedOutput: ["^mounted\\n$"]
containerRunOptions: {user: root, privileged: true}
"""
UNPRIVILEGED = PRIVILEGED.replace("privileged: true", "privileged: false")


@pytest.fixture
def project(own_storage: Storage, tmp_path: Path) -> Project:
    add_busybox(own_storage, tmp_path / "busybox")
    ini = "[pytest]\nzlayer_structure_tests = api = *.yaml\n"
    files = {"api/Dockerfile": DOCKERFILE, "good.yaml": GOOD, "bad.yaml": BAD, "pytest.ini": ini}
    return Project(write_files(tmp_path / "project", files), own_storage)


@pytest.mark.parametrize("isolation", ["auto", "buildah", "chroot"])
def test_options_of_containers(project: Project, isolation: str, short_tmpdir: Path) -> None:
    files = {
        "options.yaml": OPTIONS, "given/in": "given\n",
        "privileged.yaml": PRIVILEGED, "unprivileged.yaml": UNPRIVILEGED,
    }  # fmt: skip
    write_files(project.folder, files)
    project.environment = {**project.environment, "TMPDIR": str(short_tmpdir)}
    how = f"--zlayer-isolation={isolation}"
    assert "4 passed" in project.pytest("options.yaml", "privileged.yaml", how)
    assert "stdout does not match" in project.pytest("unprivileged.yaml", how, code=1)


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
