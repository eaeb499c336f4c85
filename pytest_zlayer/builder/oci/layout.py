"""The layout directory that carries an image into the store: configuration, manifest, layers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_zlayer.builder.oci.chain import Layer
from pytest_zlayer.choices import ImageFormat

_MEDIA_TYPES: Mapping[ImageFormat, tuple[str, str, str]] = MappingProxyType(
    {
        "oci": (
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.oci.image.layer.v1.tar",
        ),
        "docker": (
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar",
        ),
    }
)


def write_layout(
    directory: Path, config: Mapping[str, Any], layers: Sequence[Layer], image_format: ImageFormat
) -> None:
    """Write an OCI layout that names every layer but holds only the new ones.

    Layers without a blob must be in the store the layout is imported into, where they are found by
    their diff id; so putting a configuration on existing layers copies no data.
    """
    whole_type, config_type, layer_type = _MEDIA_TYPES[image_format]
    blobs = directory / "blobs" / "sha256"
    for made in (directory, blobs.parent, blobs):  # but nothing above: it may be gone for good
        made.mkdir(exist_ok=True)
    for layer in layers:
        if layer.blob is not None:
            target = blobs / layer.diff_id.removeprefix("sha256:")
            if not target.exists():  # the same layer may stand in an image twice
                target.hardlink_to(layer.blob)
    manifest = {
        "schemaVersion": 2,
        "mediaType": whole_type,
        "config": {"mediaType": config_type, **_write_blob(blobs, config)},
        "layers": [
            {"mediaType": layer_type, "digest": layer.diff_id, "size": layer.size}
            for layer in layers
        ],
    }
    descriptor = {"mediaType": whole_type, **_write_blob(blobs, manifest)}
    index = {"schemaVersion": 2, "manifests": [descriptor]}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def digest_of(data: bytes) -> str:
    """``sha256:…`` of a blob."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def image_id(config: Mapping[str, Any]) -> str:
    """The id an image with this configuration has: the digest of its JSON, 64 hex digits."""
    return hashlib.sha256(_encoded(config)).hexdigest()


def manifest_type(image_format: ImageFormat) -> str:
    """The media type of manifests of this format."""
    return _MEDIA_TYPES[image_format][0]


def _encoded(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _write_blob(blobs: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    data = _encoded(content)
    digest = digest_of(data)
    (blobs / digest.partition(":")[2]).write_bytes(data)
    return {"digest": digest, "size": len(data)}
