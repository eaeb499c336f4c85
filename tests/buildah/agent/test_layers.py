"""Which layers nobody needs, and which of them may be ours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_zlayer.buildah.agent.layers import (
    Traces,
    UnknownLayout,
    give_up_one,
    imported_layers,
    unneeded,
)
from pytest_zlayer.buildah.agent.records import Records, StorageOptions, Unreadable
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.traces import of_from, of_import, of_removed_images
from pytest_zlayer.buildah.process.runner import Runner

BASE = {"id": "base", "diff-digest": "sha256:1"}
LEFT = {"id": "left", "parent": "base", "created": "2026-01-02T03:04:05.6Z"}
MOMENT = 1767323045.0  # seconds since the epoch of that


def storage(directory: Path, **kinds: list[dict[str, Any]]) -> StorageOptions:
    """Records of a storage, and what names it."""
    for kind, records in kinds.items():
        folder = directory / f"overlay-{kind}"
        folder.mkdir()
        (folder / f"{kind}.json").write_text(json.dumps(records), encoding="ascii")
    for kind in ("layers", "images", "containers"):
        (directory / f"overlay-{kind}").mkdir(exist_ok=True)
        (directory / f"overlay-{kind}" / f"{kind}.lock").touch()
    return StorageOptions(str(directory), str(directory), "overlay")


def commander(options: StorageOptions) -> Commander:
    return Commander(cast("Runner", None), Path("/buildah"), {}, options)


def test_ids_of_imported_layers() -> None:
    second = hashlib.sha256(b"aa+bb").hexdigest()
    assert imported_layers(["sha256:aa", "sha256:bb"]) == ["aa", second]
    assert of_import({"rootfs": {"diff_ids": ["sha256:aa"]}}) == {"layers": ["aa"]}
    assert of_import({}) == {}


@pytest.mark.parametrize(
    ("traces", "found"),
    [
        (Traces(["left"]), "left"),
        (Traces(["base"]), None),
        (Traces(["other"]), None),
        (Traces(above="base", since=MOMENT), "left"),
        (Traces(above="base", since=MOMENT + 60), None),
        (Traces(above=""), None),
    ],
    ids=["known", "needed", "another", "of a container", "too old", "above another"],
)
def test_layer_that_was_left(tmp_path: Path, traces: Traces, found: str | None) -> None:
    options = storage(tmp_path, layers=[BASE, LEFT])
    assert unneeded(Records(options), [traces]) == found


@pytest.mark.parametrize(
    "kinds",
    [
        {"containers": [{"id": "c", "layer": "left"}]},
        {"images": [{"id": "i", "layer": "left"}]},
        {"images": [{"id": "i", "layer": "base", "mapped-layers": ["left"]}]},
    ],
    ids=["container", "image", "mapped"],
)
def test_layer_that_is_needed(tmp_path: Path, kinds: dict[str, Any]) -> None:
    options = storage(tmp_path, layers=[BASE, LEFT], **kinds)
    assert unneeded(Records(options), [Traces(["left"])]) is None


def test_layer_of_an_image_is_not_taken_for_one_of_a_container(tmp_path: Path) -> None:
    options = storage(tmp_path, layers=[BASE, {**LEFT, "diff-digest": "sha256:2"}])
    assert unneeded(Records(options), [Traces(above="base")]) is None


def test_layer_that_was_left_is_marked_and_nothing_else_changes(tmp_path: Path) -> None:
    options = storage(tmp_path, layers=[BASE, {**LEFT, "metadata": "ä"}])
    assert give_up_one(options, [Traces(["left"])]) == ["left", "base"]
    layers = json.loads((tmp_path / "overlay-layers" / "layers.json").read_bytes())
    assert layers == [BASE, {**LEFT, "metadata": "ä", "flags": {"incomplete": True}}]
    assert len((tmp_path / "overlay-layers" / "layers.lock").read_bytes()) == 64
    assert give_up_one(options, [Traces(["left"])]) == []


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"layers": [BASE, {**LEFT, "refs": []}]}, "layers with the unknown field 'refs'"),
        (
            {"layers": [BASE, LEFT], "images": [{"id": "i", "x": 1, "y": 2}]},
            "images with the unknown field 'x', 'y'",
        ),
        (
            {"layers": [BASE, LEFT], "containers": [{"id": "c", "z": 1}]},
            "containers with the unknown field 'z'",
        ),
    ],
    ids=["layers", "images", "containers"],
)
def test_layout_that_nobody_has_looked_at_is_left_as_it_is(
    tmp_path: Path, kinds: dict[str, Any], said: str
) -> None:
    options = storage(tmp_path, **kinds)
    before = (tmp_path / "overlay-layers" / "layers.json").read_bytes()
    with pytest.raises(UnknownLayout) as caught:
        give_up_one(options, [Traces(["left"])])
    assert str(caught.value) == (
        f"the storage {tmp_path} has {said}; its layers are left as they are"
    )
    assert (tmp_path / "overlay-layers" / "layers.json").read_bytes() == before


def test_storage_without_its_locks_is_left_as_it_is(tmp_path: Path) -> None:
    options = storage(tmp_path, layers=[BASE, LEFT])
    (tmp_path / "overlay-images" / "images.lock").unlink()
    with pytest.raises(UnknownLayout, match=r"has no images\.lock"):
        give_up_one(options, [Traces(["left"])])
    assert not (tmp_path / "overlay-images" / "images.lock").exists()


def test_nothing_is_concluded_from_damaged_records(tmp_path: Path) -> None:
    options = storage(tmp_path, layers=[BASE, LEFT])
    (tmp_path / "overlay-images" / "images.json").write_text("[{", encoding="ascii")
    with pytest.raises(Unreadable):
        give_up_one(options, [Traces(["left"])])
    assert of_removed_images(commander(options), ["x"]) == {}
    assert of_from(commander(options), "x") == {}


def test_what_a_new_container_stands_on(tmp_path: Path) -> None:
    options = storage(tmp_path, images=[{"id": "i", "names": ["a:latest"], "layer": "base"}])
    names = ("i", "a", "scratch", "b")
    found = [of_from(commander(options), name).get("above") for name in names]
    assert found == ["base", "base", "", None]
