"""The configuration of an image, as Dockerfile instructions shape it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pytest_zlayer.dockerfile.instructions import HealthProbe

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says about how to run it.

    Mappings keep insertion order. ``None`` for ``cmd``, ``entrypoint``, ``shell`` and
    ``stop_signal`` means "not set" (the runtime's default applies).
    """

    env: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str = ""
    workdir: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    healthcheck: HealthProbe | None = None
    stop_signal: str | None = None
    shell: tuple[str, ...] | None = None
    onbuild: tuple[str, ...] = ()
    author: str = ""
    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = ""
