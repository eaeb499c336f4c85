"""``pytest-zlayer build`` with a real buildah: what it shows, writes, and does not tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.engine.test_surface import Project
from tests.pytester.output.test_live import Terminal
from tests.waiting import wait_until

SECRET = "canary-word-of-nobody"  # noqa: S105 (it is none)
ARGUMENT = "canary-argument-of-nobody"


TEXT = f"""\
FROM {BUSYBOX}
ARG CODE=0
ARG PASSWORD
RUN --mount=type=secret,id=t echo it is $(cat /run/secrets/t) and $PASSWORD
RUN --mount=type=secret,id=t echo again $(cat /run/secrets/t); exit $CODE
"""
# The same, with a first step that goes on until it was seen.
SEEN = "--mount=type=cache,target=/c until test -e /c/seen; do sleep 0.1; done;"


@pytest.fixture
def project(own_storage: Storage, tmp_path: Path) -> Project:
    """A folder with a Dockerfile whose last step can be made to fail."""
    add_busybox(own_storage, tmp_path / "busybox")
    files = {"Dockerfile": TEXT, "token": SECRET}
    return Project(write_files(tmp_path / "project", files), own_storage)


BUILD = ("pytest_zlayer", "build", ".", "--secret=id=t,src=token")


def test_a_result_that_cannot_be_written_is_said_in_one_line(project: Project) -> None:
    said = project.run(*BUILD, "--iidfile=/dev/full", "--progress=quiet", code=1)
    assert said == "pytest-zlayer: cannot write /dev/full: No space left on device\n"


def test_reports_are_written_of_builds_that_succeed(project: Project) -> None:
    said = project.run(*BUILD, "--report=out/r.html", "--report=out/r.json", "--progress=plain")
    assert "report: out/r.html" in said
    told = json.loads((project.folder / "out/r.json").read_text())
    (build,) = told["builds"]
    assert build["state"] == "built"
    assert [step["log"] for step in build["stages"][0]["steps"]][-1] == ["again ***"]
    assert len(build["layers"]) == 3
    assert told["environment"]["engine"].startswith("buildah")
    assert "RUN --mount" in (project.folder / "out/r.html").read_text()


def test_what_is_secret_is_told_by_nothing_that_a_failed_build_leaves(project: Project) -> None:
    said = project.run(
        *BUILD,
        *("--build-arg=CODE=3", f"--build-arg=PASSWORD={ARGUMENT}", "--log-dir=logs"),
        *("--report=r.html", "--report=r.json", "--progress=plain"),
        code=1,
    )
    assert "it is *** and ***" in said
    assert "exit code: 3" in said
    (log,) = (project.folder / "logs").iterdir()
    written = [(project.folder / name).read_text() for name in ("r.html", "r.json")]
    assert "it is *** and ***" in log.read_text()
    assert json.loads(written[1])["builds"][0]["state"] == "failed"
    for text in (said, log.read_text(), *written):
        assert SECRET not in text
        assert ARGUMENT not in text


def test_on_a_terminal_what_is_built_is_shown_live(project: Project) -> None:
    text = TEXT.replace("echo it is", f"{SEEN} echo it is")
    write_files(project.folder, {"Dockerfile": text})
    run = Terminal(project.folder, *BUILD[1:], program=("pytest_zlayer",), **project.environment)
    run.until("0 of 1 image done")
    run.until("s project stage-0 3/4 RUN --mount")
    mounts = project.storage.root / "zlayer" / "cache" / "mounts"
    [mount] = wait_until(lambda: [one for one in mounts.glob("*") if one.is_dir()], "its mount")
    (mount / "seen").touch()
    end = run.end()
    assert "image done" not in end
    assert "RUN --mount" in end
    assert SECRET not in end
    assert len(end.splitlines()[-1]) == 64  # the id of the image
