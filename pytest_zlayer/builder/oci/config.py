"""Image configurations: from the JSON of a store or registry to typed values, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_zlayer.builder.oci.chain import Chain
from pytest_zlayer.choices import ImageFormat
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig, Labels, Variables, Words


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
