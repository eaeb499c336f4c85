"""Faults of the machine: each gives one clear sentence and a hint, in the report of the test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_zlayer.errors import ZlayerError
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX, Storage
from tests.engine.faults.conftest import copy_storage
from tests.engine.faults.workspace import BUILT, Workspace, mounted


def report(output: str) -> str:
    """What the report says of the first failed test."""
    assert "Traceback" not in output, output
    assert "pytest_zlayer/" not in output, output
    return output.partition("___\n")[2]


@pytest.fixture
def small_disk(template: Storage, tmp_path: Path) -> Iterator[Workspace]:
    """A storage on a disk of 60 MB; everything must be as before when it has space again."""
    with mounted(tmp_path / "disk", "size=60m") as disk:
        storage = copy_storage(template, disk / "storage")
        workspace = Workspace(storage, tmp_path)
        try:
            yield workspace
            workspace.sweep()
            assert workspace.difference() == {}
        finally:
            workspace.close()
            storage.remove()


@pytest.mark.parametrize("isolation", ["auto", "chroot"])
def test_disk_of_the_storage_is_full(small_disk: Workspace, isolation: str) -> None:
    storage = small_disk.storage
    small_disk.project(test_it=small_disk.building("RUN head -c 80000000 /dev/zero > /big; true"))
    said = report(small_disk.pytest(f"--zlayer-isolation={isolation}", code=1))
    assert "the disk is full: no space left in " in said
    assert str(storage.root.parent) in said
    assert "\nhint: free some space there\n" in said


def test_command_fails_because_the_disk_is_full(small_disk: Workspace) -> None:
    small_disk.project(test_it=small_disk.building("RUN head -c 80000000 /dev/zero > /big"))
    said = report(small_disk.pytest(code=1))
    assert "the command exited with 1" in said
    assert "\nhint: the disk is full: no space left in " in said


def test_temporary_directory_is_full(workspace: Workspace) -> None:
    step = "RUN head -c 40000000 /dev/urandom > /big"
    workspace.project(test_it=workspace.building(step))
    with mounted(workspace.storage.tmpdir, "size=20m"):
        said = report(workspace.pytest(code=1))
    assert f"the disk is full: no space left in {workspace.storage.tmpdir}" in said
    assert "\nhint: free some space there\n" in said


def test_temporary_directory_is_full_before_anything_is_done(workspace: Workspace) -> None:
    workspace.project(test_it=workspace.building("RUN true"))
    with mounted(workspace.storage.tmpdir, "size=20m"):
        with contextlib.suppress(OSError), (workspace.storage.tmpdir / "fill").open("wb") as file:
            file.write(bytes(30_000_000))
        said = report(workspace.pytest(code=1))
    assert f"the disk is full: no space left in {workspace.storage.tmpdir}\n" in said
    assert "\nhint: free some space there\n" in said


def test_composed_layer_finds_the_temporary_directory_full(workspace: Workspace) -> None:
    workspace.project(test_it=workspace.building("COPY big /big", context="."))
    (workspace.folder / "project" / "big").write_bytes(os.urandom(30_000_000))
    with mounted(workspace.storage.tmpdir, "size=20m"):
        said = report(workspace.pytest(code=1))
    assert (
        "failed at <inline Dockerfile>:2 (stage stage-0): the disk is full: no space left in "
        in (said)
    )
    assert "\nhint: free some space there\n" in said


def test_directory_of_runtime_state_is_full(template: Storage, tmp_path: Path) -> None:
    storage = copy_storage(template, tmp_path / "storage")
    shutil.rmtree(storage.runroot)
    with mounted(storage.runroot, "size=256k"):
        workspace = Workspace(storage, tmp_path)
        workspace.project(test_it=workspace.building("RUN true"))
        with contextlib.suppress(OSError), (storage.runroot / "fill").open("wb") as fill:
            while True:
                fill.write(bytes(4096))
                fill.flush()
        said = report(workspace.pytest(code=1))
        assert f"the disk is full: no space left in {storage.runroot}" in said
        (storage.runroot / "fill").unlink()
        workspace.sweep()
        assert workspace.difference() == {}
    workspace.close()
    storage.remove()


def fill(disk: Path) -> Path:
    """Leaves not a single byte free on a disk."""
    path = disk / "fill"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return path


def test_prune_frees_space_on_a_disk_without_a_free_byte(template: Storage, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=60m") as disk:
        storage = copy_storage(template, disk / "storage")
        workspace = Workspace(storage, tmp_path)
        storage.open().close()
        workspace.project(test_it=workspace.building("RUN head -c 5000000 /dev/zero > /big"))
        workspace.pytest()
        filling = fill(disk)
        said = workspace.start_program("pytest_zlayer", "prune", "--all").end(0)
        assert "localhost/zlayer/cache:" in said
        assert shutil.disk_usage(disk).free > 5_000_000
        filling.unlink()
        storage.open().close()
        assert (storage.root / "zlayer" / "reserve").stat().st_blocks * 512 == 1 << 20
        assert "has nothing in the storage" in workspace.start_program("pytest_zlayer", "ps").end(0)
        workspace.close()
        storage.remove()


def test_no_file_can_be_made_any_more(template: Storage, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=60m,nr_inodes=1500") as disk:
        storage = copy_storage(template, disk / "storage")
        workspace = Workspace(storage, tmp_path)
        many = "RUN i=0; while [ $i -lt 3000 ]; do i=$((i+1)); : > /tmp/$i; done; true"
        workspace.project(test_it=workspace.building(many))
        said = report(workspace.pytest(code=1))
        assert "hint: the disk is full: no space left in " in said
        workspace.sweep()
        assert workspace.difference() == {}
        workspace.close()
        storage.remove()


@pytest.mark.parametrize("place", ["root", "runroot"])
def test_storage_is_read_only(workspace: Workspace, place: str) -> None:
    directory = getattr(workspace.storage, place)
    workspace.project(test_it=workspace.building("RUN true"))
    subprocess.run(["mount", "--bind", str(directory), str(directory)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(directory)], check=True)
        said = report(workspace.pytest(code=1))
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
    assert "the container storage is read-only: " in said
    assert "\nhint: choose another with --zlayer-root and --zlayer-runroot\n" in said


def test_temporary_directory_is_not_there(workspace: Workspace) -> None:
    workspace.project(test_it=workspace.building("RUN true"))
    said = report(workspace.pytest(code=1, TMPDIR="/no/such"))
    assert "nothing can be written to the temporary directory /no/such\n" in said
    assert "hint: set TMPDIR to a directory that exists\n" in said


@pytest.mark.parametrize("variable", ["CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"])
def test_configuration_file_is_broken(workspace: Workspace, variable: str) -> None:
    workspace.project(test_it=workspace.building("RUN true"))
    broken = workspace.folder / "broken.conf"
    broken.write_text("[engine\n", encoding="ascii")
    said = report(workspace.pytest(code=1, **{variable: str(broken)}))
    assert "a configuration file in /etc/containers or ~/.config/containers cannot be read" in said


def test_build_needs_no_signature_policy(workspace: Workspace) -> None:
    """What is built from what is there is not asked for; a pull is."""
    empty = workspace.folder / "empty"
    empty.write_bytes(b"")
    # In a mount namespace of its own: other tests run beside this one, and need the file.
    hide = f"mount --bind {empty} /etc/containers/policy.json"
    workspace.prefix = ("unshare", "--mount", "sh", "-c", f'{hide} && exec "$@"', "sh")

    workspace.project(test_it=workspace.building("RUN true", "COPY test_it.py /", context="."))
    workspace.pytest()
    workspace.project(test_it=workspace.building("RUN true", base="127.0.0.1:9/x"))
    said = report(workspace.pytest(code=1))

    assert "the signature policy of containers is missing or broken" in said
    assert "hint: restore /etc/containers/policy.json" in said


def test_runtime_is_missing(workspace: Workspace) -> None:
    workspace.project(test_it=workspace.building("RUN true"))
    path = workspace.folder / "bin"
    path.mkdir()
    for name in ("buildah", "unshare", "sh"):
        found = shutil.which(name)
        assert found is not None
        (path / name).symlink_to(found)
    said = report(workspace.pytest("--zlayer-isolation=oci", code=1, PATH=str(path)))
    assert "RUN does not work with isolation oci on this machine:\n" in said
    assert "  no OCI runtime (crun, runc) is installed\n" in said
    assert "hint: leave --zlayer-isolation at auto\n" in said
    workspace.pytest(PATH=str(path))  # left to itself it finds chroot


def test_runtime_is_broken(workspace: Workspace) -> None:
    workspace.project(test_it=workspace.building("RUN true"))
    path = workspace.folder / "bin"
    path.mkdir()
    for name in ("crun", "runc"):
        (path / name).write_text("#!/bin/sh\necho out of order >&2\nexit 1\n", encoding="ascii")
        (path / name).chmod(0o755)
    path_variable = f"{path}:{os.environ['PATH']}"
    said = report(workspace.pytest("--zlayer-isolation=oci", code=1, PATH=path_variable))
    assert "RUN does not work with isolation oci on this machine:\n" in said
    assert "out of order" in said


def test_buildah_vanishes_during_the_session(workspace: Workspace) -> None:
    binary = workspace.folder / "buildah"
    binary.symlink_to(str(shutil.which(workspace.storage.binary)))
    workspace.project(
        test_it=f"""
import os, pytest

def test_it(zlayer_build, zlayer_engine):
    os.unlink({str(binary)!r})
    zlayer_build(text="FROM {BUSYBOX}\\nRUN true\\n")

def test_other(zlayer_build):
    zlayer_build(text="FROM {BUSYBOX}\\nRUN echo\\n")
"""
    )
    output = workspace.pytest(code=1, ZLAYER_BUILDAH=str(binary))
    assert f"{binary} cannot be started: No such file or directory\n" in output
    assert "2 failed" in output
    workspace.sweep()


def test_buildah_is_too_old(workspace: Workspace) -> None:
    binary = workspace.folder / "buildah"
    text = '#!/bin/sh\ncase "$*" in *--version) echo "buildah version 1.19.6";; *) exit 1;; esac\n'
    binary.write_text(text, encoding="ascii")
    binary.chmod(0o755)
    workspace.project(test_it=workspace.building("RUN true"))
    said = report(workspace.pytest(code=1, ZLAYER_BUILDAH=str(binary)))
    assert "buildah 1.19.6 is too old: 1.28 or newer is needed\nhint: upgrade buildah\n" in said


def test_buildah_is_missing(workspace: Workspace) -> None:
    workspace.project(test_it=workspace.building("RUN true"))
    said = report(workspace.pytest(code=1, ZLAYER_BUILDAH="", PATH=str(workspace.folder)))
    assert "buildah is not installed\nhint: install it with" in said


def layer_of(storage: Storage, name: str) -> Path:
    """The directory of the top layer of an image."""
    images = json.loads((storage.root / "overlay-images" / "images.json").read_bytes())
    [layer] = [one["layer"] for one in images if name in (one.get("names") or [])]
    return storage.root / "overlay" / str(layer)


def cut(path: Path) -> None:
    """Leave only the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", ["directory", "diff"])
def test_base_image_is_damaged(workspace: Workspace, damage: str) -> None:
    layer = layer_of(workspace.storage, BUSYBOX)
    lost = {"directory": layer, "diff": layer / "diff"}[damage]
    kept = workspace.folder / "kept"
    shutil.move(lost, kept)
    workspace.project(test_it=workspace.building("RUN echo new"))
    said = report(workspace.pytest(code=1))
    shutil.move(kept, lost)
    assert "a layer in the container storage is damaged: " in said
    hint = "remove the image that uses it, or the whole storage, and build again"
    assert f"hint: {hint}\n" in said
    workspace.sweep()


LAYER = ("directory", "diff")


@pytest.mark.parametrize("damage", [*LAYER, "manifest", "config"])
def test_damaged_cached_layer_is_dropped_and_rebuilt(workspace: Workspace, damage: str) -> None:
    storage = workspace.storage
    images = json.loads((storage.root / "overlay-images" / "images.json").read_bytes())
    [base] = [one["layer"] for one in images if BUSYBOX in (one.get("names") or ())]
    for one in images:
        if BUSYBOX in (one.get("names") or ()) or (one["layer"] == base and damage in LAYER):
            continue
        layer = storage.root / "overlay" / one["layer"]
        data = storage.root / "overlay-images" / one["id"]
        match damage:
            case "directory":
                shutil.rmtree(layer)
            case "diff":
                shutil.rmtree(layer / "diff")
            case "manifest":
                for path in data.glob("manifest*"):
                    path.write_bytes(b"")
            case "config":
                for path in data.glob("=*"):
                    cut(path)
    with building(storage, cache="session") as builds:
        image = builds.build(BUILT + "RUN cat /built > /twice\n")
        assert image.path("/twice").read_text() == "built\n"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("overlay-layers/layers.json", b""),
        ("overlay-layers/layers.json", None),
        ("overlay-images/images.json", None),
        ("overlay-containers/containers.json", b"["),
    ],
    ids=["layers-empty", "layers-cut", "images-cut", "containers-cut"],
)
def test_records_of_the_storage_are_damaged(
    workspace: Workspace, file: str, content: bytes | None
) -> None:
    path = workspace.storage.root / file
    whole = path.read_bytes() if path.exists() else b"[]"
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    workspace.project(test_it=workspace.building("RUN echo new"))
    run = workspace.start("--zlayer-pull=never")
    code = run.wait()
    output = run.output()
    path.write_bytes(whole)
    assert "Traceback" not in output
    assert code == 0 or "hint: " in output, output
    workspace.sweep()


def test_file_of_a_cached_layer_was_changed(workspace: Workspace) -> None:
    """Nobody may do that, and nobody could see it in time; nothing wrong is reported as right."""
    for path in (workspace.storage.root / "overlay").glob("*/diff/built"):
        path.unlink()
    with building(workspace.storage) as builds, pytest.raises((ZlayerError, FileNotFoundError)):
        builds.build(BUILT).path("/built").read_text()
