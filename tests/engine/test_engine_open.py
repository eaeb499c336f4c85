"""Opening the engine on machines in every state, and what it says when it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError, EngineMissing, EngineTimeout, EngineUnusable
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.errors import UsageError
from tests.holding import HOLD

from .conftest import BUSYBOX, Storage, add_busybox, busybox_layer, write_layout


def script(directory: Path, name: str, text: str) -> Path:
    """A program made of a shell script."""
    file = directory / name
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def test_engine_knows_itself(engine: Engine, storage: Storage) -> None:
    assert engine.version >= Version("1.28")
    assert engine.storage.root == storage.root
    assert engine.tmpdir.parent == storage.tmpdir
    assert engine.describe().startswith(f"buildah {engine.version} (storage {storage.root}")


def test_private_directory_is_private_and_goes(storage: Storage) -> None:
    engine = storage.open()
    assert engine.tmpdir.stat().st_mode & 0o777 == 0o700
    engine.close()
    assert not engine.tmpdir.exists()


def test_closing_twice_is_closing_once(storage: Storage) -> None:
    engine = storage.open()
    engine.close()
    engine.close()


def test_closed_engine_says_so(storage: Storage) -> None:
    engine = storage.open()
    engine.close()
    with pytest.raises(EngineUnusable) as caught:
        engine.containers()
    assert str(caught.value) == "this buildah session is closed"


def logged_buildah(directory: Path) -> Path:
    """The file in which a buildah of this directory notes how it was called."""
    log = directory / "calls"
    real = shutil.which("buildah")
    script(directory, "buildah", f'echo "$*" >> {log}\nexec {real} "$@"')
    return log


def test_answers_are_remembered(storage: Storage, tmp_path: Path) -> None:
    storage.open().close()
    log = logged_buildah(tmp_path)
    for _ in range(2):
        engine = storage.open(buildah=str(tmp_path / "buildah"))
        assert engine.features.commit_identity_label
        _ = engine.features.pull_newer
        engine.close()
    calls = log.read_text(encoding="utf-8").splitlines()
    asked = [call.split()[-2] for call in calls if call.endswith("--help")]
    assert asked == ["commit", "pull"]


def test_what_is_known_is_opened_without_a_process(own_storage: Storage, tmp_path: Path) -> None:
    own_storage.open().close()
    add_busybox(own_storage, tmp_path)
    log = logged_buildah(tmp_path)
    own_storage.open(buildah=str(tmp_path / "buildah")).close()
    log.write_text("", encoding="utf-8")
    engine = own_storage.open(buildah=str(tmp_path / "buildah"))
    assert [image.names for image in engine.images.all()] == [(BUSYBOX,)]
    assert (own_storage.temporary_files(), own_storage.processes()) == ([], [])
    engine.close()
    assert log.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("changed", ["configuration", "drivers", "runroot"])
def test_storage_is_asked_for_again_when_it_may_be_another(
    own_storage: Storage, tmp_path: Path, changed: str
) -> None:
    log = logged_buildah(tmp_path)
    configuration = tmp_path / "storage.conf"
    environment = {**own_storage.environment, "CONTAINERS_STORAGE_CONF": str(configuration)}
    configuration.write_text('[storage]\ndriver = "overlay"\n', encoding="ascii")
    for _ in range(2):
        own_storage.open(buildah=str(tmp_path / "buildah"), environment=environment).close()
    log.write_text("", encoding="utf-8")
    if changed == "configuration":
        configuration.write_text('[storage]\ndriver = "overlay" \n', encoding="ascii")
    elif changed == "drivers":
        (own_storage.root / "vfs-images").mkdir()
    else:
        shutil.rmtree(own_storage.runroot)
    own_storage.open(buildah=str(tmp_path / "buildah"), environment=environment).close()
    assert "info" in [call.split()[-1] for call in log.read_text(encoding="utf-8").splitlines()]


def test_agent_that_cannot_be_started_later_is_reported(own_storage: Storage) -> None:
    if os.geteuid() != 0:
        pytest.skip("buildah unshare makes the directory again")
    own_storage.open().close()
    engine = own_storage.open()
    own_storage.tmpdir.rename(own_storage.tmpdir.with_name("elsewhere"))
    with pytest.raises(EngineUnusable) as caught:
        engine.containers()
    assert caught.value.message == (
        f"nothing can be written to the temporary directory {own_storage.tmpdir}"
    )
    engine.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_agent_that_is_not_there_yet_is_no_agent_of_a_child(own_storage: Storage) -> None:
    own_storage.open().close()
    engine = own_storage.open()
    pid = os.fork()
    if pid == 0:
        try:
            engine.containers()
        except EngineUnusable:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    engine.close()


def test_isolation_is_tried_once_for_all_processes(storage: Storage, tmp_path: Path) -> None:
    log = logged_buildah(tmp_path)
    first = storage.open(buildah=str(tmp_path / "buildah"))
    kind = first.isolation
    first.close()
    assert "run" in log.read_text(encoding="utf-8").split()
    log.write_text("", encoding="utf-8")
    second = storage.open(buildah=str(tmp_path / "buildah"))
    assert second.isolation == kind
    second.close()
    assert "run" not in log.read_text(encoding="utf-8").split()


def test_runtime_that_does_not_work_is_passed_over(storage: Storage, tmp_path: Path) -> None:
    script(tmp_path, "crun", "exit 1")
    path = f"{tmp_path}:{os.environ['PATH']}"
    engine = storage.open(environment={**storage.environment, "PATH": path})
    assert engine.isolated_by.runtime != str(tmp_path / "crun")
    engine.close()


def test_isolation_that_does_not_work_is_diagnosed(storage: Storage, tmp_path: Path) -> None:
    for name in ("crun", "runc"):
        script(tmp_path, name, f"echo {name} is out of order >&2; exit 1")
    path = f"{tmp_path}:{os.environ['PATH']}"
    engine = storage.open(environment={**storage.environment, "PATH": path}, isolation="oci")
    with pytest.raises(EngineUnusable) as caught:
        _ = engine.isolation
    engine.close()
    first, *attempts = caught.value.message.splitlines()
    assert first == "RUN does not work with isolation oci on this machine:"
    assert ["oci with crun" in attempts[0], "oci with runc" in attempts[1]] == [True, True]
    assert "out of order" in caught.value.message
    assert caught.value.hint == "leave --zlayer-isolation at auto"


def test_unknown_isolation(storage: Storage) -> None:
    engine = storage.open(isolation="jail")
    with pytest.raises(EngineUnusable) as caught:
        _ = engine.isolation
    engine.close()
    assert str(caught.value) == (
        "there is no isolation 'jail'\nhint: there are: auto, buildah, oci, rootless, chroot"
    )


def test_buildah_that_is_not_there(storage: Storage) -> None:
    with pytest.raises(EngineMissing):
        storage.open(buildah="/no/such/buildah")


def test_program_that_is_not_buildah(own_storage: Storage) -> None:
    with pytest.raises(EngineUnusable) as caught:
        own_storage.open(buildah="/bin/true")
    assert caught.value.message == "this program does not answer like buildah: ''"
    assert own_storage.temporary_files() == []


OLD = """
case "$*" in *--version) echo "buildah version 1.19.6 (image-spec 1.0.1)"; exit 0;; esac
exit 1
"""


def test_buildah_too_old(own_storage: Storage, tmp_path: Path) -> None:
    old = script(tmp_path, "buildah", OLD)
    with pytest.raises(EngineUnusable) as caught:
        own_storage.open(buildah=str(old))
    assert caught.value.message == "buildah 1.19.6 is too old: 1.28 or newer is needed"


def test_storage_that_is_read_only(own_storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(EngineUnusable) as caught:
        own_storage.open(root=file)
    assert caught.value.message.startswith("buildah cannot work here: ")
    assert own_storage.temporary_files() == []


def test_temporary_directory_that_is_not_there(own_storage: Storage) -> None:
    with pytest.raises(EngineUnusable) as caught:
        own_storage.open(environment={**own_storage.environment, "TMPDIR": "/no/such"})
    assert str(caught.value) == (
        "nothing can be written to the temporary directory /no/such\n"
        "hint: set TMPDIR to a directory that exists"
    )


def test_broken_configuration_file(own_storage: Storage, tmp_path: Path) -> None:
    broken = tmp_path / "containers.conf"
    broken.write_text("[engine\n", encoding="ascii")
    environment = {**own_storage.environment, "CONTAINERS_CONF": str(broken)}
    with pytest.raises(EngineUnusable) as caught:
        own_storage.open(environment=environment)
    assert "a configuration file in /etc/containers or" in caught.value.message


@pytest.mark.parametrize(("session", "worker"), [("A", "main"), ("a-b", "main"), ("a", "gw 0")])
def test_names_of_sessions(storage: Storage, session: str, worker: str) -> None:
    with pytest.raises(UsageError) as caught:
        storage.open(session=session, worker=worker)
    assert str(caught.value) == (
        f"session {session!r} and worker {worker!r} must be lower-case letters and digits"
    )


def test_buildah_that_vanishes(storage: Storage, tmp_path: Path) -> None:
    real = subprocess.run(["which", "buildah"], capture_output=True, text=True, check=True)
    link = tmp_path / "buildah"
    link.symlink_to(real.stdout.strip())
    engine = storage.open(buildah=str(link))
    link.unlink()
    with pytest.raises(EngineError) as caught:
        engine.containers()
    engine.close()
    assert str(caught.value) == f"{link} cannot be started: No such file or directory"


def test_agent_that_is_killed(storage: Storage) -> None:
    engine = storage.open()
    os.kill(engine._client.pid, signal.SIGKILL)
    assert engine.from_image("scratch") in storage.container_names()
    assert engine.tmpdir.is_dir()
    engine.close()
    assert not engine.tmpdir.exists()


def test_new_agent_knows_what_the_killed_one_knew(own_storage: Storage, tmp_path: Path) -> None:
    engine = own_storage.open()
    layout = write_layout(tmp_path / "layout", [busybox_layer()], {}, {})
    engine.images.register("localhost/test/registered:1")
    engine.images.import_layout(layout, "localhost/test/registered:1")
    os.kill(engine._client.pid, signal.SIGKILL)
    engine.from_image("localhost/test/registered:1")
    os.kill(engine._client.pid, signal.SIGKILL)
    engine.close()
    assert own_storage.image_names() == []
    assert not any(own_storage.leftovers().values())


def test_others_do_not_sweep_before_a_killed_agent_is_replaced(own_storage: Storage) -> None:
    engine = own_storage.open()
    container = engine.from_image("scratch")
    os.kill(engine._client.pid, signal.SIGKILL)
    own_storage.sweep()
    assert own_storage.container_names() == [container]
    engine.close()
    assert not any(own_storage.leftovers().values())


def test_storage_lock_held_by_a_stopped_process(engine: Engine, storage: Storage) -> None:
    lock = storage.root / "overlay-containers" / "containers.lock"
    argv = [sys.executable, "-c", HOLD, str(lock)]
    holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(EngineTimeout) as caught:
            engine._commander.output(["containers"], timeout=1.0)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"process {holder.pid} (")
    assert caught.value.hint.endswith(") holds containers.lock of the storage")
    engine.containers()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Storage]:
    """A storage on a file system of 24 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if subprocess.run(argv, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    made = Storage(disk / "root", disk / "runroot", disk / "tmp")
    made.tmpdir.mkdir()
    yield made
    made.remove()
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_full_disk_is_named(small_disk: Storage, tmp_path: Path) -> None:
    engine = small_disk.open(isolation="chroot")
    layout = write_layout(tmp_path / "layout", [busybox_layer()], {}, {})
    container = engine.from_image(engine.images.import_layout(layout, "localhost/test/small:1"))
    # buildah 1.28 breaks down at the end of the RUN already, newer versions at the commit.
    with pytest.raises(EngineError) as caught:  # noqa: PT012
        words = ["sh", "-c", "dd if=/dev/zero of=/big; true"]
        engine.run(RunRequest(container, words, user="0:0"))
        engine.commit(container)
    engine.remove_containers(container)
    engine.close()
    assert caught.value.failure.kind == "environment"
    assert caught.value.message.startswith("the disk is full: no space left in ")


def test_many_engines_at_once(own_storage: Storage) -> None:
    problems: list[BaseException] = []

    def work() -> None:
        try:
            engine = own_storage.open()
            engine.remove_containers(engine.from_image("scratch"))
            engine.close()
        except BaseException as error:  # noqa: BLE001 (reported below)
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert own_storage.leftovers()["containers"] == []
