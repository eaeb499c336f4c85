"""Image configurations and manifests as JSON, and the layout directory that carries them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_zlayer.builder.model.spec import ImageFormat
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig, Labels, Variables, Words

EPOCH = "1970-01-01T00:00:00Z"

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


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image: uncompressed digest, size in bytes, and its tar if it is new."""

    diff_id: str
    size: int
    blob: Path | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of an image's history; ``created`` is RFC 3339, ``empty`` means it made no layer."""

    created_by: str
    created: str = EPOCH
    comment: str = ""
    author: str = ""
    empty: bool = False

    def to_json(self) -> dict[str, Any]:
        """The entry as image configurations store it."""
        found: dict[str, Any] = {"created": self.created, "created_by": self.created_by}
        if self.author:
            found["author"] = self.author
        if self.comment:
            found["comment"] = self.comment
        if self.empty:
            found["empty_layer"] = True
        return found


@dataclass(frozen=True, slots=True)
class Chain:
    """What an image is made of: its layers from the bottom up, and the history of them."""

    layers: tuple[Layer, ...] = ()
    history: tuple[HistoryEntry, ...] = ()

    def __post_init__(self) -> None:
        missing = len(self.layers) - sum(not entry.empty for entry in self.history)
        if missing > 0:  # images without (whole) history are legal; keep layers and history in step
            padding = tuple(HistoryEntry("") for _ in range(missing))
            object.__setattr__(self, "history", padding + self.history)

    def add(self, layer: Layer, entry: HistoryEntry) -> Chain:
        """The chain with one more layer on top."""
        return Chain((*self.layers, layer), (*self.history, entry))

    def lowest(self, count: int) -> Chain:
        """The chain that ends with the layer number ``count``."""
        ends = [place for place, entry in enumerate(self.history, 1) if not entry.empty]
        return Chain(self.layers[:count], self.history[: ends[count - 1]] if count else ())

    def note(self, entry: HistoryEntry) -> Chain:
        """The chain with one more line of history that made no layer."""
        return Chain(self.layers, (*self.history, replace(entry, empty=True)))


def timestamp_text(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_chain(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Chain:
    """Layers and history of an image in the store, from its manifest and configuration."""
    sizes = [int(layer.get("size", 0)) for layer in manifest.get("layers", ())]
    digests = list(config.get("rootfs", {}).get("diff_ids") or ())
    sizes += [0] * (len(digests) - len(sizes))
    layers = tuple(Layer(digest, size) for digest, size in zip(digests, sizes, strict=False))
    return Chain(layers, tuple(_read_history(config.get("history") or ())))


def _read_history(entries: Iterable[Mapping[str, Any]]) -> Iterable[HistoryEntry]:
    for entry in entries:
        yield HistoryEntry(
            created_by=entry.get("created_by", ""),
            created=entry.get("created", EPOCH),
            comment=entry.get("comment", ""),
            author=entry.get("author", ""),
            empty=bool(entry.get("empty_layer")),
        )


def read_config(config: Mapping[str, Any]) -> ImageConfig:
    """The typed configuration of an image, from the JSON its store or registry holds."""
    inner: Mapping[str, Any] = config.get("config") or {}
    return ImageConfig(
        env=Variables(_split_pair(item) for item in inner.get("Env") or ()),
        cmd=_optional_words(inner.get("Cmd")),
        entrypoint=_optional_words(inner.get("Entrypoint")),
        user=inner.get("User") or "",
        workdir=inner.get("WorkingDir") or "",
        exposed_ports=Words(inner.get("ExposedPorts") or ()),
        volumes=Words(inner.get("Volumes") or ()),
        labels=Labels(inner.get("Labels") or {}),
        healthcheck=_read_healthcheck(inner.get("Healthcheck")),
        stop_signal=inner.get("StopSignal") or None,
        shell=_optional_words(inner.get("Shell")),
        onbuild=Words(inner.get("OnBuild") or ()),
        author=config.get("author") or "",
        architecture=config.get("architecture") or "",
        os=config.get("os") or "",
        variant=config.get("variant") or "",
        os_version=config.get("os.version") or "",
    )


def _split_pair(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name, value


def _optional_words(items: Sequence[str] | None) -> Words | None:
    return Words(items) if items else None


def _read_healthcheck(found: Mapping[str, Any] | None) -> HealthProbe | None:
    if not found:
        return None
    return HealthProbe(
        test=tuple(found.get("Test") or ()),
        interval=int(found.get("Interval") or 0),
        timeout=int(found.get("Timeout") or 0),
        start_period=int(found.get("StartPeriod") or 0),
        start_interval=int(found.get("StartInterval") or 0),
        retries=int(found.get("Retries") or 0),
    )


def natural_format(config: ImageConfig) -> ImageFormat:
    """``docker`` when the configuration holds what OCI has no field for, else ``oci``."""
    return "docker" if without_field(config) else "oci"


def without_field(config: ImageConfig) -> tuple[str, ...]:
    """The instructions in force for whose effect OCI has no field."""
    known = {"HEALTHCHECK": config.healthcheck, "SHELL": config.shell, "ONBUILD": config.onbuild}
    return tuple(name for name, value in known.items() if value)


def _config_fields(config: ImageConfig) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Env": [f"{name}={value}" for name, value in config.env.items()],
        "Entrypoint": list(config.entrypoint) if config.entrypoint else None,
        "Cmd": list(config.cmd) if config.cmd is not None else None,
        "Volumes": {path: {} for path in config.volumes},
        "WorkingDir": config.workdir,
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "Healthcheck": _healthcheck_fields(config.healthcheck),
        "Shell": list(config.shell) if config.shell else None,
        "OnBuild": list(config.onbuild),
    }
    empty_cmd = config.cmd == ()  # an empty CMD is not the same as none
    return {name: value for name, value in fields.items() if value or (name == "Cmd" and empty_cmd)}


def _healthcheck_fields(probe: HealthProbe | None) -> dict[str, Any] | None:
    if probe is None:
        return None
    fields: dict[str, Any] = {
        "Test": list(probe.test),
        "Interval": probe.interval,
        "Timeout": probe.timeout,
        "StartPeriod": probe.start_period,
        "StartInterval": probe.start_interval,
        "Retries": probe.retries,
    }
    return {name: value for name, value in fields.items() if value}


def config_json(config: ImageConfig, chain: Chain, *, created: str) -> dict[str, Any]:
    """The image configuration (OCI image-spec ``config.md``; docker's extra fields when set)."""
    found: dict[str, Any] = {
        "created": created,
        "author": config.author,
        "architecture": config.architecture,
        "os": config.os or "linux",
        "os.version": config.os_version,
        "variant": config.variant,
        "config": _config_fields(config),
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in chain.layers]},
        "history": [entry.to_json() for entry in chain.history],
    }
    optional = ("author", "os.version", "variant")
    return {name: value for name, value in found.items() if value or name not in optional}


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
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}
