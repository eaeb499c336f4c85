"""The configuration of an image, as Dockerfile instructions shape it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.dockerfile.values.suggest import suggest


class Words(tuple[str, ...]):
    """Words in order; equal to a list of the same words too."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        return tuple.__repr__(self)


class Variables(dict[str, str]):
    """Values by name; ``what`` is said of a name that is not there."""

    what = "variable"

    def __missing__(self, name: str) -> str:
        known = {one.lower(): one for one in self}
        wanted = name.lower()
        near = known.get(wanted) or known.get(suggest(wanted, known) or "")
        hint = f" (did you mean {near}?)" if near else ""
        raise KeyError(f"there is no {self.what} {name}{hint}")


class Labels(Variables):
    """Labels by name."""

    what = "label"


_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says about how to run it.

    Mappings keep insertion order. ``None`` for ``cmd``, ``entrypoint``, ``shell`` and
    ``stop_signal`` means "not set" (the runtime's default applies).
    """

    env: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    cmd: Words | None = None
    entrypoint: Words | None = None
    user: str = ""
    workdir: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    healthcheck: HealthProbe | None = None
    stop_signal: str | None = None
    shell: Words | None = None
    onbuild: tuple[str, ...] = ()
    author: str = ""
    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = ""
