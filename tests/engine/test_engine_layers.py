"""Layers that killed commands leave, which no command of buildah shows or removes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent.layers import Traces, give_up_one
from pytest_zlayer.buildah.agent.records import StorageOptions
from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.buildah.errors import EngineError
from tests.engine.faults.workspace import unused_layers

from .conftest import BUSYBOX, Storage, add_busybox, busybox_layer, write_layout

# Does what buildah does until it has changed the layers, and dies before the rest is recorded; or,
# when something is removed, when the rest is recorded and the layers are not changed yet.
DIES = """#!{python}
import json, os, signal, subprocess, sys
words = sys.argv[1:]
verb = next((one for one in words if one in ("from", "pull", "rm", "rmi")), "")
times = {times!r}
if verb == {verb!r} and "--help" not in words and not os.path.exists(times + "/{often}"):
    os.mkdir(times + "/" + str(len(os.listdir(times)) + 1))
    folder = {root!r} + "/overlay-" + {kind!r}
    file = folder + "/" + {kind!r} + ".json"
    before = json.load(open(file)) if os.path.exists(file) else []
    if verb in ("from", "pull"):
        subprocess.run([{buildah!r}, *words])
    else:
        before = [one for one in before if not set(one.get("names") or ()) & set(words)]
    with open(file, "w") as opened:
        json.dump(before, opened)
    os.kill(os.getpid(), signal.SIGKILL)
os.execv({buildah!r}, [{buildah!r}, *words])
"""

Dying = Callable[..., Engine]


@pytest.fixture
def dying(own_storage: Storage, tmp_path: Path) -> Dying:
    """Opens an engine whose buildah dies while it does one thing."""
    add_busybox(own_storage, tmp_path)

    def open_it(verb: str, kind: str, often: int = 9) -> Engine:
        times = tmp_path / "times"
        times.mkdir()
        script = tmp_path / "buildah"
        buildah = shutil.which(own_storage.binary)
        text = DIES.format(
            python=sys.executable, times=str(times), verb=verb, often=often, kind=kind,
            root=str(own_storage.root), buildah=buildah,
        )  # fmt: skip
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)
        return own_storage.open(buildah=str(script))

    return open_it


def layers(storage: Storage) -> list[str]:
    content = (storage.root / "overlay-layers" / "layers.json").read_bytes()
    return sorted(one["id"] for one in json.loads(content))


def directories(storage: Storage) -> list[str]:
    return sorted(one.name for one in (storage.root / "overlay").iterdir() if len(one.name) == 64)


@pytest.mark.parametrize("image", [BUSYBOX, "scratch"])
@pytest.mark.parametrize("often", [1, 9])
def test_from(own_storage: Storage, dying: Dying, image: str, often: int) -> None:
    before = layers(own_storage)
    engine = dying("from", "containers", often)
    with contextlib.suppress(EngineError):
        engine.from_image(image)
    assert len(unused_layers(own_storage)) == min(often, 2)
    engine.close()
    assert layers(own_storage) == directories(own_storage) == before


def test_import(own_storage: Storage, dying: Dying, tmp_path: Path) -> None:
    before = layers(own_storage)
    engine = dying("pull", "images")
    layout = write_layout(tmp_path / "two", [busybox_layer(), b"\0" * 1024, b"\0" * 2048], {}, {})
    with pytest.raises(EngineError):
        engine.images.import_layout(layout, f"{engine.temporary_images}it")
    assert len(unused_layers(own_storage)) == 2
    engine.close()
    assert layers(own_storage) == directories(own_storage) == before


def test_import_that_is_repeated_keeps_its_layers(
    own_storage: Storage, dying: Dying, tmp_path: Path
) -> None:
    engine = dying("pull", "images", often=1)
    layout = write_layout(tmp_path / "two", [busybox_layer(), b"\0" * 1024], {}, {})
    engine.images.import_layout(layout, "localhost/test/two:1")
    engine.close()
    assert len(layers(own_storage)) == 2
    assert "localhost/test/two:1" in own_storage.image_names()


def test_rm(own_storage: Storage, dying: Dying) -> None:
    before = layers(own_storage)
    engine = dying("rm", "containers", often=1)
    container = engine.from_image(BUSYBOX)
    with pytest.raises(EngineError):
        engine.remove_containers(container)
    assert len(unused_layers(own_storage)) == 1
    engine.close()
    assert layers(own_storage) == directories(own_storage) == before


def cut_off_rmi(dying: Dying, tmp_path: Path) -> Engine:
    """Removes an image with two layers of its own, and is killed before it removes these."""
    engine = dying("rmi", "images", often=1)
    layout = write_layout(tmp_path / "two", [busybox_layer(), b"\0" * 1024, b"\0" * 2048], {}, {})
    engine.images.import_layout(layout, "localhost/test/two:1")
    with pytest.raises(EngineError):
        engine.images.remove("localhost/test/two:1")
    return engine


def test_rmi(own_storage: Storage, dying: Dying, tmp_path: Path) -> None:
    before = layers(own_storage)
    engine = cut_off_rmi(dying, tmp_path)
    assert len(unused_layers(own_storage)) == 2
    engine.close()
    assert layers(own_storage) == directories(own_storage) == before


def test_image_is_removed_below_a_layer_that_was_left(
    own_storage: Storage, dying: Dying, tmp_path: Path
) -> None:
    """``rmi`` says that all is well, and leaves the layers that another one stands on."""
    before = layers(own_storage)
    engine = dying("from", "containers", often=9)
    layout = write_layout(tmp_path / "two", [busybox_layer(), b"\0" * 1024], {}, {})
    engine.images.import_layout(layout, "localhost/test/two:1")
    with pytest.raises(EngineError):
        engine.from_image("localhost/test/two:1")
    engine.images.remove("localhost/test/two:1")
    assert len(unused_layers(own_storage)) == 3
    engine.close()
    assert layers(own_storage) == directories(own_storage) == before


def test_rmi_that_was_deleting_a_layer(own_storage: Storage, dying: Dying, tmp_path: Path) -> None:
    """The storage marks a layer before it deletes it."""
    before = layers(own_storage)
    engine = cut_off_rmi(dying, tmp_path)
    engine.remove_containers(engine.from_image(BUSYBOX))
    file = own_storage.root / "overlay-layers" / "layers.json"
    records = json.loads(file.read_bytes())
    below = {one.get("parent") for one in records}
    [top] = [one for one in records if one["id"] not in below]
    top["flags"] = {"incomplete": True}
    file.write_text(json.dumps(records), encoding="ascii")
    engine.close()
    assert layers(own_storage) == directories(own_storage) == before


def test_next_session_does_it_when_the_agent_is_killed(own_storage: Storage, dying: Dying) -> None:
    before = layers(own_storage)
    pid = os.fork()
    if pid == 0:
        engine = dying("from", "containers", often=1)
        engine.from_image(BUSYBOX)
        os.kill(engine._client.pid, signal.SIGKILL)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(unused_layers(own_storage)) == 1
    own_storage.sweep()
    assert layers(own_storage) == directories(own_storage) == before


def test_layers_of_others_are_left_alone(own_storage: Storage, dying: Dying) -> None:
    """Left by a command of somebody else, before and while ours were at work."""
    engine = dying("rmi", "images")  # which never comes
    foreign = [_leave_one(own_storage, BUSYBOX)]
    engine.from_image(BUSYBOX)
    foreign.append(_leave_one(own_storage, "scratch"))
    engine.close()
    assert unused_layers(own_storage) == sorted(foreign)


def _leave_one(storage: Storage, image: str) -> str:
    file = storage.root / "overlay-containers" / "containers.json"
    before = json.loads(file.read_bytes()) if file.exists() else []
    storage.buildah("from", "--name", "foreign", image)
    own = {one["id"] for one in before}
    [made] = [one for one in json.loads(file.read_bytes()) if one["id"] not in own]
    file.write_text(json.dumps(before), encoding="ascii")
    return str(made["layer"])


def test_layer_that_is_needed_is_never_given_up(own_storage: Storage, tmp_path: Path) -> None:
    add_busybox(own_storage, tmp_path)
    [image] = layers(own_storage)
    own_storage.buildah("from", "--name", "user", BUSYBOX)
    options = StorageOptions(str(own_storage.root), str(own_storage.runroot), "overlay")
    traces = [Traces(layers(own_storage)), Traces(above=image), Traces(above="")]
    assert give_up_one(options, traces) == []
    assert len(layers(own_storage)) == 2
