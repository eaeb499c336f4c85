"""Input that may confuse buildah: names, special files, more layers than it can mount."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_zlayer.errors import ZlayerError
from tests.builder.sparse_members import FORMATS, HUGE, sparse_archive
from tests.engine.building import building, write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import Workspace

UGLY = [
    "*", "?", "[x]", "a*b", "a[b", "\\", "a\\b", "-x", "--help", " ", "a b", "$HOME", "`id`", "'",
    '"', "a\nb", "#", "~", "x" * 255, os.fsdecode(b"\xff\xfe"),
]  # fmt: skip


def test_ugly_names_are_copied_as_they_are_and_nothing_else(
    workspace: Workspace, tmp_path: Path
) -> None:
    context = write_files(tmp_path / "context", {f"ugly/{name}": f"of {name!r}" for name in UGLY})
    write_files(context, {"x": "wrong", "ugly/x": "wrong", "ugly/ab": "wrong", "ugly/aab": "no"})
    with building(workspace.storage) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nCOPY ugly /ugly\n", context)
        found = {path.name: path.read_text() for path in image.path("/ugly").iterdir()}
    wrong = {"x": "wrong", "ab": "wrong", "aab": "no"}
    assert found == {**{name: f"of {name!r}" for name in UGLY}, **wrong}


REFERENCES = ["-x", "--help", "''", "dir:/p", "oci:/p", "../x", "UPPER", "x:-t", "x" * 300, "a\tb"]


@pytest.mark.parametrize("reference", REFERENCES)
def test_what_is_no_image_name_is_refused(
    workspace: Workspace, reference: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    with building(workspace.storage) as builds:
        with pytest.raises(ZlayerError):
            builds.build(f"FROM {reference}\n")
        with pytest.raises(ZlayerError):
            builds.build(f"FROM {BUSYBOX}\n", tags=(reference,))
    assert sorted(os.listdir(tmp_path)) == before


def test_special_files_of_a_context(workspace: Workspace, tmp_path: Path) -> None:
    context = write_files(tmp_path / "context", {"dir/setuid": "x"})
    (context / "dir" / "setuid").chmod(0o6755)
    os.mkfifo(context / "dir" / "fifo")
    with building(workspace.storage) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nCOPY dir /dir\n", context)
        assert image.path("/dir/setuid").stat().mode & 0o7777 == 0o6755
        assert image.path("/dir/fifo").stat().kind == "fifo"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("way", ["added", "context"])
def test_a_sparse_file_of_an_archive_that_no_disk_holds(
    workspace: Workspace, tmp_path: Path, way: str, form: str
) -> None:
    (archive := tmp_path / "a.tar").write_bytes(sparse_archive(form))
    step, context = ("ADD a.tar /", tmp_path) if way == "added" else ("COPY huge /", archive)
    with building(workspace.storage) as builds:
        with pytest.raises(ZlayerError) as caught:
            builds.build(f"FROM {BUSYBOX}\n{step}\n", context)
        assert not list(builds.session.engine.tmpdir.rglob("layer-*.part"))
    assert f"huge has {HUGE} bytes, and " in str(caught.value)
    assert "<inline Dockerfile>:2" in str(caught.value)


def test_a_name_that_python_has_no_bytes_for(workspace: Workspace) -> None:
    workspace.project(test_it=workspace.building("WORKDIR /\xe9", name="named"))
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = workspace.pytest(code=1, **environment)
    assert "Traceback" not in said
    assert (
        "building named failed at <inline Dockerfile>:2 (stage stage-0): '\\xe9' cannot be a file "
        "name here: these are ascii\n"
    ) in said
    assert "\nhint: set PYTHONUTF8=1, or a locale with UTF-8 (LC_ALL=C.UTF-8)\n" in said


def test_more_layers_than_the_storage_can_mount(workspace: Workspace) -> None:
    steps = "".join(f"WORKDIR /d{number}\n" for number in range(127))
    text = f"FROM {BUSYBOX}\n{steps}RUN true\nRUN touch /end\n"
    with (
        building(workspace.storage, cache="session") as builds,
        pytest.raises(ZlayerError) as caught,
    ):
        builds.build(text).run(["true"])
    assert "would have 130 layers, and a container storage mounts 127 at most" in str(caught.value)
    assert "join RUN steps" in str(caught.value)
