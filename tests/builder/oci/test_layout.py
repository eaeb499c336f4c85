"""The layout directory that carries an image into the store."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.oci.chain import Layer
from pytest_zlayer.builder.oci.layout import image_id, manifest_type, write_layout
from pytest_zlayer.choices import ImageFormat

CONFIG = {"os": "linux", "config": {"Cmd": ["a b"]}}
TEXT = b'{"os":"linux","config":{"Cmd":["a b"]}}'
OLD = Layer("sha256:" + "0" * 64, 7)
OCI = "application/vnd.oci.image."


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def new_layer(directory: Path, content: bytes = b"tar") -> Layer:
    blob = directory / "new.tar"
    blob.write_bytes(content)
    return Layer(f"sha256:{digest_of(content)}", len(content), blob)


def read(layout: Path, digest: str) -> Any:
    return json.loads((layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes())


def manifest_of(layout: Path) -> dict[str, Any]:
    index = json.loads((layout / "index.json").read_text())
    assert index["schemaVersion"] == 2
    (descriptor,) = index["manifests"]
    manifest: dict[str, Any] = read(layout, descriptor["digest"])
    written = (layout / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")).stat()
    assert descriptor == {
        "mediaType": manifest["mediaType"],
        "digest": descriptor["digest"],
        "size": written.st_size,
    }
    return manifest


def test_the_id_is_the_digest_of_the_compact_configuration() -> None:
    assert image_id(CONFIG) == digest_of(TEXT)


@pytest.mark.parametrize(
    ("image_format", "whole", "config", "layer"),
    [
        ("oci", f"{OCI}manifest.v1+json", f"{OCI}config.v1+json", f"{OCI}layer.v1.tar"),
        (
            "docker",
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar",
        ),
    ],
)
def test_the_manifest_names_configuration_and_layers(
    tmp_path: Path, image_format: ImageFormat, whole: str, config: str, layer: str
) -> None:
    write_layout(tmp_path / "layout", CONFIG, [OLD], image_format)
    digest = f"sha256:{digest_of(TEXT)}"
    assert manifest_of(tmp_path / "layout") == {
        "schemaVersion": 2,
        "mediaType": whole,
        "config": {"mediaType": config, "digest": digest, "size": len(TEXT)},
        "layers": [{"mediaType": layer, "digest": OLD.diff_id, "size": 7}],
    }
    assert manifest_type(image_format) == whole
    assert read(tmp_path / "layout", digest) == CONFIG


def test_it_says_that_it_is_a_layout(tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", CONFIG, [], "oci")
    said = json.loads((tmp_path / "layout" / "oci-layout").read_text())
    assert said == {"imageLayoutVersion": "1.0.0"}


def test_it_holds_new_layers_and_not_those_of_the_store(tmp_path: Path) -> None:
    new = new_layer(tmp_path)
    write_layout(tmp_path / "layout", CONFIG, [OLD, new], "oci")
    blobs = tmp_path / "layout" / "blobs" / "sha256"
    assert (blobs / digest_of(b"tar")).read_bytes() == b"tar"
    assert not (blobs / ("0" * 64)).exists()


def test_a_layer_may_stand_in_it_twice(tmp_path: Path) -> None:
    new = new_layer(tmp_path)
    write_layout(tmp_path / "layout", CONFIG, [new, OLD, new], "oci")
    named = [layer["digest"] for layer in manifest_of(tmp_path / "layout")["layers"]]
    assert named == [new.diff_id, OLD.diff_id, new.diff_id]


def test_it_may_be_written_into_a_directory_that_is_there(tmp_path: Path) -> None:
    for _ in range(2):
        write_layout(tmp_path, CONFIG, [], "oci")
    assert manifest_of(tmp_path)["layers"] == []


def test_directories_above_it_are_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_layout(tmp_path / "gone" / "layout", CONFIG, [], "oci")
