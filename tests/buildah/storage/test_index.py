"""The store's own records, and what does not look like them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.storage.index import layer_digests, read_image, split_files
from pytest_zlayer.buildah.storage.info import StorageInfo

ID = "a" * 64


def write(directory: Path, **changes: Any) -> StorageInfo:
    """A store with one image, as containers/storage keeps it; ``None`` leaves a file out."""
    images = directory / "overlay-images"
    (images / ID).mkdir(parents=True)
    key = "=" + base64.b64encode(f"sha256:{ID}".encode()).decode()
    files: dict[str, Any] = {
        "images.json": [{"id": ID, "digest": "sha256:1", "names": ["localhost/a:1"]}],
        "manifest": {"config": {"digest": f"sha256:{ID}"}, "layers": []},
        "config": {"config": {"Cmd": ["x"]}},
        **changes,
    }
    places = {
        "images.json": images / "images.json",
        "manifest": images / ID / "manifest",
        "config": images / ID / key,
    }
    for name, place in places.items():
        if files[name] is not None:
            place.write_text(json.dumps(files[name]), encoding="ascii")
    return StorageInfo(directory, directory, "overlay")


def test_image_is_read(tmp_path: Path) -> None:
    record = read_image(write(tmp_path), ID)
    assert record is not None
    assert (record.id, record.digest, record.names) == (ID, "sha256:1", ("localhost/a:1",))
    assert record.config == {"config": {"Cmd": ["x"]}}


@pytest.mark.parametrize(
    "changes",
    [
        {"images.json": None},
        {"images.json": []},
        {"images.json": [{"id": ID}]},
        {"manifest": None},
        {"manifest": {}},
        {"config": None},
    ],
    ids=["no list", "not listed", "no digest", "no manifest", "other manifest", "no config"],
)
def test_what_looks_otherwise_is_not_known_here(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert read_image(write(tmp_path, **changes), ID) is None


@pytest.mark.parametrize(
    ("content", "digests"),
    [
        ('[{"id": "1", "diff-digest": "sha256:a", "compressed-diff-digest": "sha256:b"}]', "ab"),
        ('[{"id": "1", "diff-digest": "sha256:a"}, {"id": "2"}]', "a"),
        ("[", ""),
    ],
    ids=["as it arrived", "made here", "damaged"],
)
def test_digests_of_layers(tmp_path: Path, content: str, digests: str) -> None:
    (tmp_path / "overlay-layers").mkdir()
    (tmp_path / "overlay-layers" / "layers.json").write_text(content, encoding="ascii")
    known = layer_digests(StorageInfo(tmp_path, tmp_path, "overlay"))
    assert known == {f"sha256:{one}" for one in digests}


def test_layers_of_an_image_are_found_whichever_file_records_them(tmp_path: Path) -> None:
    storage = write(tmp_path, **{"images.json": [{"id": ID, "layer": "top"}]})
    layers = tmp_path / "overlay-layers"
    layers.mkdir()
    (layers / "layers.json").write_text('[{"id": "base"}]', encoding="ascii")
    (layers / "volatile-layers.json").write_text(
        '[{"id": "top", "parent": "base"}]', encoding="ascii"
    )
    files = [layers / "base.tar-split.gz", layers / "top.tar-split.gz"]
    assert split_files(storage, ID) == files
    assert split_files(storage, "b" * 64) is None
