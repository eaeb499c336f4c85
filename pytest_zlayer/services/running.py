"""What a test holds of an image that runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.image.copy_out import copy_out
from pytest_zlayer.builder.image.image_like import ImageLike
from pytest_zlayer.builder.image.kept import Kept
from pytest_zlayer.builder.image.log import LogLine, Stream, as_text
from pytest_zlayer.builder.image.path import ImagePath
from pytest_zlayer.builder.image.results import CommandFailed, RunResult
from pytest_zlayer.checks.assertions import Assertions
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.services.arguments import argv_of, check_waiting
from pytest_zlayer.services.engine import ExecRequest, ServiceContainer
from pytest_zlayer.services.errors import ServiceError, ending
from pytest_zlayer.services.ports import LOOPBACK
from pytest_zlayer.services.processes import listening, signal_number
from pytest_zlayer.services.readiness import wait_until
from pytest_zlayer.services.request import Port, ServeRequest

if TYPE_CHECKING:
    from pytest_zlayer.checks.packages.record import Package

# Lines of its log that are remembered of a service that is gone.
_LAST_LINES = 500
_NO_VALUES: Mapping[str, str] = MappingProxyType({})


class Service(Assertions):
    """A container of an image that runs until it is stopped.

    Attributes:
        image: what runs.
        name: its name in messages, and on a private network.
        host: where its ports are published.
    """

    def __init__(
        self, image: ImageLike, request: ServeRequest, container: ServiceContainer, engine: str
    ) -> None:
        self.image = image
        self.name = request.name
        self.host = LOOPBACK
        self.engine = engine
        self._request = request
        self._container = container
        self._lines_before = 0
        self._last_log: list[LogLine] | None = None
        self._exit_code: int | None = None
        self.started_at = time.monotonic()

    def __repr__(self) -> str:
        return f"<Service {self.name} of {self.image.label} ({self.engine})>"

    @property
    def container(self) -> str:
        """What the engine calls its container."""
        return self._container.name

    @property
    def ports(self) -> Mapping[int, int]:
        """The ports of the container, each with the port of ``host`` that leads to it."""
        return MappingProxyType({one.number: at for one, at in self._container.ports.items()})

    @property
    def port(self) -> int:
        """The port of ``host`` that leads to the main port.

        Raises:
            UsageError: it has no ports.
        """
        return self.address()[1]

    def port_inside(self, port: int | None = None) -> Port:
        """The port of the container that a number means, by default the main one.

        Raises:
            UsageError: it is not published.
        """
        known = self._container.ports
        found = next((one for one in known if port in (None, one.number)), None)
        if found is None:
            which = "no port" if port is None else f"no port {port}"
            raise UsageError(
                f"service {self.name} has {which}",
                hint='its network is "none"'
                if self._request.network == "none"
                else "name it with port= or ports=, or let the image EXPOSE it",
            )
        return found

    def address(self, port: int | None = None) -> tuple[str, int]:
        """Host and port by which a port of the container is reached."""
        return self.host, self._container.ports[self.port_inside(port)]

    def url(self, path: str = "/", *, port: int | None = None, scheme: str = "http") -> str:
        """The URL of a path."""
        host, number = self.address(port)
        return f"{scheme}://{host}:{number}/{path.removeprefix('/')}"

    @property
    def over(self) -> bool:
        """Whether it has been removed, or kept for later."""
        return self._last_log is not None

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self.over and self._container.pid is not None

    @property
    def exit_code(self) -> int | None:
        """How it ended: 128 + n for signal n; ``None`` while it runs."""
        if not self.over:
            self._exit_code = self._container.exit_code()
        return self._exit_code

    def state(self) -> str:
        """Its state, in a line."""
        if self.running:
            return "it runs" + "".join(
                f", port {one} at {self.host}:{at}" for one, at in self.ports.items()
            )
        code = self.exit_code
        return "it was removed while it ran" if code is None else f"it ended with {ending(code)}"

    @property
    def pid(self) -> int | None:
        """Its first process on this machine; ``None`` when it does not run."""
        return self._container.pid

    def listening(self, port: Port) -> list[str] | None:
        """The addresses on which it listens; ``None`` when that cannot be seen from here."""
        pid = self._container.pid
        if pid is None:
            return None
        number = self._container.ports[port] if self._listens_on_host else port.number
        return listening(pid, number, port.kind)

    @property
    def _listens_on_host(self) -> bool:
        return self.engine == "buildah" or self._request.network == "host"

    def wait_ended(self, seconds: float) -> bool:
        """Wait until it has ended, but no longer than this; whether it has."""
        return self._container.wait_ended(seconds)

    # What it writes

    def log_lines(self) -> tuple[LogLine, ...]:
        """What it has written, each line with its stream and time."""
        return tuple(self._container.log() if self._last_log is None else self._last_log)

    def logs(self, *, stream: Stream | None = None, tail: int | None = None) -> str:
        """What it has written: both streams in order, or one; all, or the last ``tail`` lines."""
        return as_text(self.log_lines(), stream, tail)

    def log_text(self) -> list[str]:
        """Its log with times and streams, as failures show it."""
        return [str(one) for one in self.log_lines()]

    def lines_since_start(self) -> list[LogLine]:
        """What it has written since it was last started."""
        lines = self.log_lines()
        # A log that has become too long begins anew.
        before = self._lines_before if self._lines_before <= len(lines) else 0
        return list(lines[before:])

    # What happens inside

    def run(
        self,
        cmd: str | Sequence[str],
        *,
        env: Mapping[str, str] = _NO_VALUES,
        user: str | None = None,
        workdir: str | None = None,
        input: str | bytes | None = None,  # noqa: A002  # as subprocess.run calls it
        timeout: float | None = None,
        check: bool = True,
    ) -> RunResult:
        """Run a command inside, beside the service; arguments as for ``Image.run``.

        Raises:
            CommandFailed: it ended with another status than 0, unless ``check`` is false.
            EngineTimeout: it took longer than ``timeout``.
            ServiceError: the service does not run.
        """
        container = self._known()
        if not self.running:
            raise ServiceError(f"no command runs in {self.name}: {self.state()}")
        done = container.run(
            ExecRequest(
                argv=argv_of(self.image, cmd),
                env=env,
                user=user,
                workdir=workdir,
                stdin=input.encode() if isinstance(input, str) else input,
                timeout=timeout,
            )
        )
        if check and done.exit_code != 0:
            raise CommandFailed(self.name, done)
        return done

    @property
    def packages(self) -> Mapping[str, Package]:
        """The packages that are installed inside now, by name."""
        with LOADING:
            from pytest_zlayer.checks.packages.read import read_packages

        return read_packages(self)

    def path(self, path: str) -> ImagePath:
        """A file inside as it is now."""
        return ImagePath(self._known().rootfs(), path)

    def copy_in(self, source: str | Path, destination: str) -> None:
        """Copy a file or directory of the host to ``destination``."""
        found = Path(source).absolute()
        if not found.exists():
            raise UsageError(f"{found} is not there")
        self._known().copy_in(found, destination)

    def copy_out(self, source: str, destination: str | Path) -> Path:
        """Copy a file or directory to the host; its path there."""
        return copy_out(self._known().rootfs(), source, Path(destination), self.name)

    def testinfra(self) -> Any:
        """A host of pytest-testinfra whose commands run inside (extra ``testinfra``)."""
        with LOADING:
            from pytest_zlayer.services.testinfra import host_of

        return host_of(self.name, self.run)

    # Stopping and starting

    def wait(self, ready: Callable[[Service], bool], timeout: float = 60.0) -> None:
        """Wait until a condition holds (``ready.…``, or any function of the service).

        Raises:
            ServiceEnded: it ended before.
            ServiceNotReady: it did not within ``timeout`` seconds.
            UsageError: that is no condition, or no number of seconds.
        """
        check_waiting(ready, timeout)
        self._known()
        wait_until(self, ready, timeout)

    def stop(self, timeout: float = 10.0) -> None:
        """Ask it to end with the image's STOPSIGNAL, and kill it after ``timeout`` seconds."""
        if self.running:
            self._container.stop(timeout)

    def kill(self, signal: str = "SIGKILL") -> None:
        """Send a signal (``SIGTERM``, ``TERM`` or ``15``) to its first process.

        Raises:
            ServiceError: the service does not run.
            UsageError: there is no such signal.
        """
        number = signal_number(signal)
        container = self._known()
        if not self.running:
            raise ServiceError(f"{self.name} gets no signal: {self.state()}")
        container.kill(number)

    def start(self) -> None:
        """Start it again, with the files and ports that it had."""
        container = self._known()
        if self.running:
            return
        self._lines_before = len(container.log())
        container.start()
        self.started_at = time.monotonic()

    def restart(self, timeout: float = 10.0) -> None:
        """Stop it and start it again; ``wait`` tells when it is ready."""
        self.stop(timeout)
        self.start()

    def _known(self) -> ServiceContainer:
        """Its container, as long as there is one."""
        if self.over:
            raise ServiceError(
                f"service {self.name} has been removed",
                hint="it lives until the end of its with block or fixture",
            )
        return self._container

    def end(self) -> None:
        """Remove it."""
        self._remember()
        self._container.remove()

    def keep(self, label: str) -> Kept:
        """Stop it and keep it, named after ``label``."""
        self._remember()
        name, command = self._container.keep(label)
        return Kept("service", name, label, command)

    def _remember(self) -> None:
        _ = self.exit_code
        self._last_log = self._container.log()[-_LAST_LINES:]
