"""How an image is to be served, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.services.networks import Network

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_SIZES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Port:
    """A port in the container; ``kind`` is ``tcp`` or ``udp``."""

    number: int
    kind: str = "tcp"

    def __str__(self) -> str:
        return f"{self.number}/{self.kind}"


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of the host in the container."""

    source: Path
    target: str
    readonly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeRequest:
    """What to run and how; see ``Image.serve`` for the fields.

    Attributes:
        argv: the command in words, ``{port}`` not yet replaced.
        ports: what is published, the main port first; none for a service without ports.
    """

    argv: tuple[str, ...]
    name: str
    ports: tuple[Port, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    user: str | None = None
    workdir: str | None = None
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, int] = field(default_factory=lambda: _NO_SIZES)
    copy_in: tuple[tuple[Path, str], ...] = ()
    network: Network | str | None = None
    read_only: bool = False
    shm_size: int | None = None
    ulimits: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    memory: int | None = None
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    hostname: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def port(self) -> Port | None:
        """The port that is meant when none is named."""
        return self.ports[0] if self.ports else None

    def with_port(self, text: str, port: int | None) -> str:
        """A word or value with ``{port}`` replaced."""
        return text.replace("{port}", str(port)) if port is not None else text

    @property
    def published(self) -> Mapping[int, tuple[Port, ...]]:
        """What can be reached from outside, by number: a TCP and a UDP port may have the same."""
        found: dict[int, tuple[Port, ...]] = {}
        for one in self.ports if self.network != "none" else ():
            found[one.number] = (*found.get(one.number, ()), one)
        return found

    def mentions_port(self) -> bool:
        """Whether command or environment name the port with ``{port}``."""
        return any("{port}" in text for text in (*self.argv, *self.env.values()))
