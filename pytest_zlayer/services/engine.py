"""What a service asks of whatever runs it: the protocol of the two engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.image.image_like import ImageLike
from pytest_zlayer.builder.image.log import LogLine
from pytest_zlayer.builder.image.results import RunResult
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.services.networks import Network
from pytest_zlayer.services.request import Port, ServeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """A command to run inside, beside the service; ``timeout`` in seconds."""

    argv: Sequence[str]
    env: Mapping[str, str]
    user: str | None = None
    workdir: str | None = None
    stdin: bytes | None = None
    timeout: float | None = None


class ServiceContainer(Protocol):
    """A container whose process runs until it is stopped."""

    name: str
    ports: Mapping[Port, int]

    @property
    def pid(self) -> int | None:
        """Its first process on this machine, ``None`` when it does not run."""
        ...

    def exit_code(self) -> int | None:
        """How it ended: 128 + n for signal n; ``None`` while it runs."""
        ...

    def wait_ended(self, seconds: float) -> bool:
        """Wait until it has ended, but no longer than this; whether it has."""
        ...

    def start(self) -> None:
        """Start it again after it has ended."""
        ...

    def stop(self, timeout: float) -> None:
        """Ask it to end, and kill it after ``timeout`` seconds."""
        ...

    def kill(self, number: int) -> None:
        """Send a signal to its first process."""
        ...

    def remove(self) -> None:
        """End it and remove everything of it."""
        ...

    def keep(self, label: str) -> tuple[str, str]:
        """End it and keep it, under a name that outlives the session and holds ``label``.

        Returns:
            Its name, and the commands that show its log and enter it.
        """
        ...

    def run(self, request: ExecRequest) -> RunResult:
        """Run a command inside. Raises ``EngineTimeout``."""
        ...

    def log(self) -> list[LogLine]:
        """What it has written so far, the newest lines when there are very many."""
        ...

    def rootfs(self) -> Rootfs:
        """Its files as they are now."""
        ...

    def copy_in(self, source: Path, target: str) -> None:
        """Copy a file or directory of the host into it."""
        ...


class ServiceEngine(Protocol):
    """Runs images."""

    name: str
    has_networks: bool

    def serve(self, image: ImageLike, request: ServeRequest) -> ServiceContainer:
        """Start a container. Raises ``ServiceError``."""
        ...

    def make_network(self) -> Network:
        """A private network. Raises ``ServiceRefused``."""
        ...

    def remove_network(self, network: Network) -> None:
        """Remove a network that nobody is on any more."""
        ...

    def close(self) -> None:
        """Give back what the engine itself holds."""
        ...
