"""Images of the engine: imported, committed, named, listed, removed, pushed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError, EngineTimeout, ImageNotKnown
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.errors import UsageError

from .conftest import BUSYBOX, Storage, add_busybox, busybox_layer, write_layout

UNKNOWN = "localhost/test/nothing-of-that-name:1"


def test_imported_image_has_exactly_the_name_asked_for(
    engine: Engine, storage: Storage, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "l", [busybox_layer()], {"Env": ["N=exact"]}, {})
    identifier = engine.images.import_layout(layout, "localhost/zlayer/cache:key-1")
    named = {image.id: image.names for image in engine.images.all()}
    assert named[identifier] == ("localhost/zlayer/cache:key-1",)
    engine.images.remove(identifier)


def test_layers_the_store_has_need_not_be_in_the_layout(
    engine: Engine, busybox: str, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "l", [busybox_layer()], {"Env": ["N=missing"]}, {})
    layer = engine.images.inspect(busybox).manifest["layers"][0]["digest"].partition(":")[2]
    (layout / "blobs" / "sha256" / layer).unlink()
    identifier = engine.images.import_layout(layout, "localhost/test/missing:1")
    container = engine.from_image(identifier)
    assert engine.run(RunRequest(container, ["/bin/true"])).exit_code == 0
    engine.remove_containers(container)
    engine.images.remove("localhost/test/missing:1")


def test_several_imports_at_once_get_their_own_names(engine: Engine, tmp_path: Path) -> None:
    found: dict[int, str] = {}

    def work(number: int) -> None:
        config = {"Env": [f"N={number}"]}
        layout = write_layout(tmp_path / str(number), [busybox_layer()], config, {})
        found[number] = engine.images.import_layout(layout, f"localhost/test/many:{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {image.id: image.names for image in engine.images.all()}
    assert [names[found[n]] for n in range(5)] == [(f"localhost/test/many:{n}",) for n in range(5)]
    assert engine.images.remove(*(f"localhost/test/many:{n}" for n in range(5))) == ()


def test_configuration_is_read_back(engine: Engine, busybox: str) -> None:
    record = engine.images.inspect(busybox)
    assert record.config["config"] == {"Cmd": ["/bin/sh"]}
    assert record.digest.startswith("sha256:")


def test_docker_only_configuration_survives(engine: Engine, add_image: Callable[..., str]) -> None:
    name = add_image("localhost/test/docker:1", {"Shell": ["/bin/ash", "-c"], "OnBuild": ["RUN x"]})
    assert engine.images.inspect(name).config["config"]["OnBuild"] == ["RUN x"]


def test_image_with_triggers_is_never_made_a_container(
    engine: Engine, add_image: Callable[..., str]
) -> None:
    name = add_image("localhost/test/triggers:1", {"OnBuild": ["RUN touch /ran"]})
    identifier = engine.images.inspect(name).id
    with pytest.raises(EngineError) as caught:
        engine.from_image(name)
    expected = f"image {identifier[:12]} has ONBUILD triggers, which buildah would run"
    assert str(caught.value) == expected


def test_unknown_image(engine: Engine) -> None:
    with pytest.raises(ImageNotKnown):
        engine.images.inspect(UNKNOWN)
    assert not engine.images.exists(UNKNOWN)


def test_container_of_an_unknown_image_asks_no_registry(engine: Engine) -> None:
    with pytest.raises(ImageNotKnown):
        engine.from_image(UNKNOWN)


@pytest.mark.parametrize(
    "name", ["-x", "--help", "", " ", "dir:/p", "../x", "UPPER", "x:-t", "a\n", "x" * 65 + "/.."]
)
def test_what_is_no_image_name_never_reaches_buildah(engine: Engine, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        engine.from_image(name)
    assert str(caught.value) == f"{name!r} is not an image name"


def test_commit_twice_with_a_timestamp_gives_the_same_image(engine: Engine, busybox: str) -> None:
    container = engine.from_image(busybox)
    first = engine.commit(container, timestamp=0)
    assert engine.commit(container, timestamp=0) == first
    engine.remove_containers(container)
    engine.images.remove(first)


def test_squashed_commit_has_one_layer(engine: Engine, busybox: str) -> None:
    container = engine.from_image(busybox)
    engine.run(RunRequest(container, ["touch", "/new"], user="0:0"))
    image = engine.commit(container, squash=True, name="localhost/test/squashed:1")
    assert len(engine.images.inspect(image).manifest["layers"]) == 1
    engine.remove_containers(container)
    engine.images.remove(image)


def test_container_of_scratch(engine: Engine) -> None:
    container = engine.from_image("scratch")
    assert engine.mount(container).listdir("/") == []
    engine.unmount(container)
    engine.remove_containers(container)


def test_files_are_read_without_running_anything(engine: Engine, busybox: str) -> None:
    container = engine.from_image(busybox)
    rootfs = engine.mount(container)
    assert rootfs.lstat("/home/app").uid == 1000
    assert rootfs.resolve("/bin/sh") == "/bin/busybox"
    with rootfs.open("/etc/group") as file:
        assert file.read() == b"root:x:0:\napp:x:1000:\n"
    engine.unmount(container)
    engine.remove_containers(container)


def test_removing_what_is_gone_is_no_error(engine: Engine, busybox: str) -> None:
    container = engine.from_image(busybox)
    engine.remove_containers("zl-gone-1-", container, "zl-gone-2-")
    assert container not in [found.name for found in engine.containers()]
    assert engine.images.remove(UNKNOWN) == ()


def test_image_in_use_is_left_and_named(engine: Engine, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "l", [busybox_layer()], {"Env": ["N=used"]}, {})
    name = "localhost/test/used:1"
    engine.images.import_layout(layout, name)
    container = engine.from_image(name)
    assert engine.images.remove(name, UNKNOWN) == (name,)
    engine.remove_containers(container)
    assert engine.images.remove(name, UNKNOWN) == ()


def test_one_of_several_names_is_taken_away(engine: Engine, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "l", [busybox_layer()], {"Env": ["N=names"]}, {})
    identifier = engine.images.import_layout(layout, "localhost/test/names:1")
    engine.images.tag(identifier, "localhost/test/names:2", "localhost/test/names:3")
    engine.images.untag(identifier, "localhost/test/names:2")
    named = {image.id: set(image.names) for image in engine.images.all()}
    assert named[identifier] == {"localhost/test/names:1", "localhost/test/names:3"}
    engine.images.remove("localhost/test/names:1", "localhost/test/names:3")


def test_names_that_are_given_and_taken_at_once_neither_stay_nor_get_lost(
    own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path)
    engine = own_storage.open()
    old, new = ([f"localhost/test/{kind}:{n}" for n in range(12)] for kind in ("old", "new"))
    engine.images.tag(BUSYBOX, *old)
    with ThreadPoolExecutor(8) as pool:
        for removed, added in zip(old, new, strict=True):
            pool.submit(engine.images.remove, removed)
            pool.submit(engine.images.tag, BUSYBOX, added)
    engine.close()
    assert own_storage.image_names() == sorted([BUSYBOX, *new])


def test_last_name_is_not_taken_away(engine: Engine, busybox: str) -> None:
    with pytest.raises(EngineError) as caught:
        engine.images.untag(busybox, busybox)
    assert str(caught.value) == f"{busybox} is the only name of its image"


def test_temporary_images_go_with_the_engine(storage: Storage, busybox: str) -> None:
    engine = storage.open()
    engine.images.tag(busybox, f"{engine.temporary_images}stage", "localhost/test/registered:1")
    engine.images.tag(busybox, "localhost/test/kept:1")
    engine.images.register("localhost/test/registered:1")
    engine.images.register("localhost/test/kept:1")
    engine.images.unregister("localhost/test/kept:1")
    engine.close()
    assert "localhost/test/kept:1" in storage.image_names()
    assert "localhost/test/registered:1" not in storage.image_names()
    temporary = engine.temporary_images
    assert not [name for name in storage.image_names() if name.startswith(temporary)]
    storage.buildah("rmi", "localhost/test/kept:1")


def test_images_are_listed_beside_a_list_and_one_without_name_and_layers(
    own_storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where buildah has to be asked: its plain ``images`` fails here."""
    add_busybox(own_storage, tmp_path / "busybox")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nENV A=1\n", encoding="ascii")
    unnamed = own_storage.buildah("build", "--quiet", str(tmp_path)).strip()
    monkeypatch.setattr("pytest_zlayer.buildah.stored_images.read_images", lambda _: None)
    engine = own_storage.open()
    listed = engine.registries.manifest_create(f"{engine.temporary_images}list", BUSYBOX)
    found = {image.id for image in engine.images.all()}
    engine.close()
    assert {unnamed, listed} < found
    assert own_storage.image_names() == sorted([f"sha256:{unnamed}", BUSYBOX])


def test_renamed_container_outlives_the_engine(storage: Storage, busybox: str) -> None:
    engine = storage.open()
    engine.rename_container(engine.from_image(busybox), "kept-by-me")
    engine.close()
    assert "kept-by-me" in storage.container_names()
    storage.buildah("rm", "kept-by-me")


@pytest.mark.parametrize("archive", ["oci-archive", "docker-archive", "oci", "dir"])
def test_image_goes_to_an_archive_and_comes_back(
    engine: Engine, busybox: str, tmp_path: Path, archive: str
) -> None:
    place = f"{archive}:{tmp_path / 'out'}"
    assert engine.registries.push(busybox, place).startswith("sha256:")
    assert len(engine.registries.pull(place, policy="always")) == 64


def test_manifest_list_keeps_what_is_added_at_once(
    engine: Engine, busybox: str, tmp_path: Path
) -> None:
    names = [f"localhost/test/part:{number}" for number in range(6)]
    for number, name in enumerate(names):
        config = {"Env": [f"P={number}"]}
        engine.images.import_layout(
            write_layout(tmp_path / str(number), [busybox_layer()], config, {}), name
        )
    engine.registries.manifest_create("localhost/test/list:1")
    threads = [
        threading.Thread(
            target=engine.registries.manifest_add, args=("localhost/test/list:1", name)
        )
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    digest = engine.registries.manifest_push("localhost/test/list:1", f"oci:{tmp_path / 'list'}")
    blob = tmp_path / "list" / "blobs" / "sha256" / digest.partition(":")[2]
    assert blob.read_text(encoding="utf-8").count('"digest"') == 6
    engine.images.remove("localhost/test/list:1", *names)


def test_pull_never_and_missing_take_what_is_there(engine: Engine, busybox: str) -> None:
    identifier = engine.images.inspect(busybox).id
    assert engine.registries.pull(busybox, policy="never") == identifier
    assert engine.registries.pull(busybox, policy="missing") == identifier


def test_pull_never_of_what_is_not_there(engine: Engine) -> None:
    with pytest.raises(ImageNotKnown):
        engine.registries.pull(UNKNOWN, policy="never")


def test_pull_newer_is_content_with_the_local_one(engine: Engine, busybox: str) -> None:
    engine.images.tag(busybox, "127.0.0.1:1/none:1")
    identifier = engine.images.inspect(busybox).id
    assert engine.registries.pull("127.0.0.1:1/none:1", policy="newer") == identifier
    engine.images.remove("127.0.0.1:1/none:1")


def test_registry_that_does_not_answer(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.registries.pull("127.0.0.1:1/none:2", policy="always")
    assert caught.value.failure.kind == "transient"
    assert caught.value.message.startswith("the registry cannot be reached: ")


def test_overrun_of_a_command_is_an_error(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"127.0.0.1:{silent.getsockname()[1]}/none:3"
        with pytest.raises(EngineTimeout) as caught:
            engine.registries.pull(name, policy="always", timeout=0.3)
    assert str(caught.value) == "buildah pull did not end within 0.3 s and was ended"


def test_other_program_runs_under_the_agent(engine: Engine, tmp_path: Path) -> None:
    done = engine.process(["sh", "-c", "pwd; cat; exit 4"], cwd=tmp_path, stdin=b"in")
    assert (done.exit_code, done.stdout_tail) == (4, (str(tmp_path), "in"))


def test_other_program_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.process(["no-such-program"])
    assert str(caught.value) == "no-such-program cannot be started: No such file or directory"


def test_list_of_a_dead_session_goes_and_the_images_in_it_stay(
    storage: Storage, busybox: str
) -> None:
    engine = storage.open()
    name = f"{engine.temporary_images}list"
    engine.registries.manifest_create(name, busybox)
    engine.close()
    assert busybox in storage.image_names()
    assert not [one for one in storage.image_names() if one.startswith(name)]
