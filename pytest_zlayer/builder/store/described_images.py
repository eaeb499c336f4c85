"""What a registry says of an image: enough to plan with, before any layer of it is here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_zlayer.buildah.storage.records import ImageRecord
from pytest_zlayer.builder.oci.layout import digest_of
from pytest_zlayer.dockerfile.values.platforms import Platform, parse_platform

if TYPE_CHECKING:
    from pytest_zlayer.buildah.commands.skopeo import Skopeo

# Seconds for each question.
_ANSWER = 15.0


def describe_image(skopeo: Skopeo, name: str, platform: Platform) -> ImageRecord | None:
    """The image that ``name``, with its registry, stands for on a platform.

    Returns:
        The record that the store will have of it, or ``None`` where it is not certain which image
        would be pulled.

    Raises:
        EngineError: the registry has no such image, or did not answer.
    """
    raw = skopeo.manifest(f"docker://{name}", timeout=_ANSWER)
    manifest = _json(raw)
    if "manifests" in manifest:
        chosen = list(_fitting(manifest, platform))
        if len(chosen) != 1:
            return None  # which of them is best is the engine's choice
        raw = skopeo.manifest(f"docker://{_repository(name)}@{chosen[0]}", timeout=_ANSWER)
        manifest = _json(raw)
    digest = digest_of(raw)
    if not {"config", "layers"} <= manifest.keys():
        return None  # of the first kind, whose id is not known before
    config = skopeo.config(f"docker://{_repository(name)}@{digest}", timeout=_ANSWER)
    found = digest_of(config)
    if manifest["config"].get("digest") != found:
        return None
    return ImageRecord(found.partition(":")[2], digest, (), manifest, _json(config))


def by_digest(name: str, record: ImageRecord) -> str:
    """The reference that means this image for all time."""
    return f"{_repository(name)}@{record.digest}"


def _repository(name: str) -> str:
    path, _, last = name.partition("@")[0].rpartition("/")
    return f"{path}/{last.partition(':')[0]}"


def _json(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _fitting(index: Mapping[str, Any], platform: Platform) -> Iterator[str]:
    """The digests of those images of a list that are for a platform."""
    for one in index["manifests"]:
        said = one.get("platform") or {}
        parts = [said.get(key) for key in ("os", "architecture", "variant")]
        try:
            found = parse_platform("/".join(part for part in parts if part), platform)
        except ValueError:
            continue
        if found.short == platform.short:
            yield str(one["digest"])
