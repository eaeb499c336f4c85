"""Services with buildah alone: a process in a working container, on the network of the host."""

from __future__ import annotations

import itertools
import os
import signal as signals
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.buildah.process.output import without_end
from pytest_zlayer.buildah.run_request import RunRequest, Tmpfs, Volume
from pytest_zlayer.builder.image.container import Output, timeout_of
from pytest_zlayer.builder.image.image_like import ImageLike
from pytest_zlayer.builder.image.kept import keep_container, kept_log
from pytest_zlayer.builder.image.log import LogLine
from pytest_zlayer.builder.image.results import RunResult
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.services.engine import ExecRequest
from pytest_zlayer.services.errors import ServiceError, ServiceRefused
from pytest_zlayer.services.log import log_line, parse_log, unfinished
from pytest_zlayer.services.networks import Network
from pytest_zlayer.services.ports import Claim, Refusal, claim_free_port, claim_port
from pytest_zlayer.services.processes import signal_number
from pytest_zlayer.services.request import Port, ServeRequest

if TYPE_CHECKING:
    from pytest_zlayer.buildah.engine import Engine
    from pytest_zlayer.buildah.running_container import RunningContainer
    from pytest_zlayer.builder.image.facts import ImageStore

# Bytes of a log; it begins anew beyond that, as podman's do.
_LOG_SIZE = 10 * 1024**2
# Seconds for which a port is waited for that another service of this kind has.
_PATIENCE = 30.0
_ONLY_PODMAN = (
    "hostname", "read_only", "shm_size", "ulimits", "memory", "privileged", "cap_add", "cap_drop",
    "devices", "labels",
)  # fmt: skip
_ADVICE = "install podman, or leave it out"


class RuntimeEngine:
    """Runs images with buildah alone."""

    name = "buildah"
    has_networks = False

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._numbers = itertools.count(1)

    def serve(self, image: ImageLike, request: ServeRequest) -> RuntimeContainer:
        """Start a container."""
        refuse_what_needs_podman(request)
        container = RuntimeContainer(self._store, image, request)
        try:
            container.create(self._log_file(request))
        except EngineError as error:
            container.remove()
            raise ServiceError(
                f"service {request.name} could not be started: {error.message}", hint=error.hint
            ) from error
        except BaseException:
            container.remove()
            raise
        return container

    def _log_file(self, request: ServeRequest) -> Path:
        folder = self._store.engine.tmpdir / "services"
        folder.mkdir(exist_ok=True)
        return folder / f"{request.name}-{next(self._numbers)}.log"

    def make_network(self) -> Network:
        """Refused: everything is on the network of the host."""
        raise ServiceRefused(
            "there are no private networks with buildah alone",
            hint="install podman, or let services listen on {port} of this machine",
        )

    def remove_network(self, network: Network) -> None:
        """Nothing: there are none."""

    def close(self) -> None:
        """Nothing: the engine holds nothing itself."""


def refuse_what_needs_podman(request: ServeRequest) -> None:
    """Tell what buildah alone cannot do.

    Raises:
        ServiceRefused: something of that was asked for.
    """
    if isinstance(request.network, Network):
        raise ServiceRefused(
            f"service {request.name}: a private network needs podman", hint=_ADVICE
        )
    asked = [name for name in _ONLY_PODMAN if getattr(request, name)]
    if asked:
        raise ServiceRefused(f"service {request.name}: {asked[0]}= needs podman", hint=_ADVICE)


@dataclass(slots=True)
class LogFile:
    """What a service writes, with times, in the format of Kubernetes; of a bounded size."""

    path: Path
    _file: BinaryIO | None = None
    _size: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, stream: str, text: str) -> None:
        """Take one more line with its end; the rest of one without an end comes next."""
        tag = "F" if text.endswith("\n") else "P"
        data = log_line(stream, tag, without_end(text)).encode("utf-8", "replace")
        with self._guard:
            if self._file is None or self._size + len(data) > _LOG_SIZE:
                self._begin()
            if self._file is not None:
                self._file.write(data)
                self._size += len(data)

    def _begin(self) -> None:
        first = self._file is None
        self.close_file()
        self._file = self.path.open("ab" if first else "wb", buffering=0)
        self._size = self.path.stat().st_size

    def end_lines(self) -> None:
        """What comes next begins on a line of its own."""
        for stream in unfinished(self._read()):
            self.add(stream, "\n")

    def close_file(self) -> None:
        """Let go of the file; it is opened again when more comes."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self) -> list[LogLine]:
        """All that is there."""
        return list(parse_log(self._read()))

    def _read(self) -> list[str]:
        try:
            with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
                return list(file)
        except FileNotFoundError:
            return []


class RuntimeContainer:
    """One working container in which a service runs."""

    def __init__(self, store: ImageStore, image: ImageLike, request: ServeRequest) -> None:
        self.name = ""
        self.ports: Mapping[Port, int] = MappingProxyType({})
        self._store = store
        self._image = image
        self._request = request
        self._claims: list[Claim] = []
        self._running: RunningContainer | None = None
        self._log: LogFile | None = None
        self._ended: int | None = None

    @property
    def _engine(self) -> Engine:
        return self._store.engine

    def create(self, log: Path) -> None:
        """Make the container and start the service."""
        self._log = LogFile(log)
        self._take_ports()
        self.name = self._engine.from_image(self._store.runnable_image(self._image.native_id))
        for source, target in self._request.copy_in:
            self.copy_in(source, target)
        self.start()

    def _take_ports(self) -> None:
        request = self._request
        found: dict[Port, int] = {}
        for number, same in request.published.items():
            kinds = [one.kind for one in same]
            told = request.mentions_port() and request.port in same
            taken = claim_free_port(*kinds) if told else _claim_fixed(request.name, number, kinds)
            self._claims.append(taken)
            found.update(dict.fromkeys(same, int(taken.value)))
        self.ports = MappingProxyType(found)

    def _run_request(self) -> RunRequest:
        request, config = self._request, self._image.config
        main = request.port
        port = None if main is None else self.ports.get(main, main.number)
        env = {name: request.with_port(one, port) for name, one in request.env.items()}
        return RunRequest(
            self.name,
            [request.with_port(word, port) for word in request.argv],
            env=_without(config.env, env),
            hidden_env=env,
            user=config.user if request.user is None else request.user,
            workdir=request.workdir or config.workdir or "/",
            volumes=[Volume(one.source, one.target, one.readonly) for one in request.mounts],
            tmpfs=[Tmpfs(target, size) for target, size in request.tmpfs.items()],
            network="none" if request.network == "none" else "host",
            on_text=self._add_text,
        )

    def _add_text(self, stream: str, text: str) -> None:
        if self._log is not None:
            self._log.add(stream, text)

    @property
    def pid(self) -> int | None:
        """A process on the network that it listens on: this one."""
        alive = self._running is not None and self._running.running
        return os.getpid() if alive else None

    def exit_code(self) -> int | None:
        """How it ended; ``None`` while it runs."""
        if self._running is None or self._running.running:
            return None
        if self._ended is not None:
            return self._ended
        try:
            done = self._running.wait()
            self._ended = done.exit_code
        except EngineError as error:
            self._add_text("stderr", f"buildah: {error.message}\n")
            self._ended = error.exit_code or 125
        return self._ended

    def wait_ended(self, seconds: float) -> bool:
        """Wait until it has ended, but no longer than this; whether it has."""
        if self._running is None:
            return True
        try:
            self._running.wait(max(0.0, seconds))
        except TimeoutError:
            return False
        except EngineError:
            return True
        return True

    def start(self) -> None:
        """Start it, for the first time or again."""
        self._ended = None
        if self._log is not None:
            self._log.end_lines()
        self._running = self._engine.start(self._run_request())

    def stop(self, timeout: float) -> None:
        """Ask it to end, and kill it after ``timeout`` seconds."""
        if self._running is None:
            return
        self._running.signal(signal_number(self._image.config.stop_signal or "SIGTERM"))
        if not self.wait_ended(timeout):
            self._running.signal(signals.SIGKILL)
        if not self.wait_ended(2.0):
            self._running.stop()

    def kill(self, number: int) -> None:
        """Send a signal to its first process."""
        if self._running is not None:
            self._running.signal(number)

    def _end(self) -> None:
        if self._running is not None:
            self._running.stop()
        if self._log is not None:
            self._log.close_file()
        for taken in self._claims:
            taken.release()
        self._claims = []

    def remove(self) -> None:
        """End it and remove everything of it."""
        self._end()
        if self.name:
            self._engine.remove_containers(self.name)
        if self._log is not None:
            self._log.path.unlink(missing_ok=True)

    def keep(self, label: str) -> tuple[str, str]:
        """End it and keep it under a name that outlives the session."""
        self._end()
        kept = keep_container(self._engine, self.name, label)
        if self._log is None or not self._log.path.exists():
            return kept.name, kept.command
        file = kept_log(self._engine, kept.name)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(self._log.path.read_bytes())
        return kept.name, kept.command

    def run(self, request: ExecRequest) -> RunResult:
        """Run a command inside."""
        if self._running is None or not self._running.running:
            raise ServiceError(f"no command runs in {self._request.name}: it has ended")
        config = self._image.config
        env = {**self._run_request().hidden_env, **request.env}
        output = Output()
        done = self._running.run(
            RunRequest(
                self.name,
                request.argv,
                env=_without(config.env, env),
                hidden_env=env,
                user=config.user if request.user is None else request.user,
                workdir=request.workdir or config.workdir or "/",
                stdin=request.stdin,
                on_text=output.add,
                timeout=request.timeout,
            )
        )
        if done.timed_out:
            raise timeout_of(self._request.name, request.argv, done)
        return RunResult(
            done.exit_code, output.stdout, output.stderr, done.seconds, tuple(request.argv)
        )

    def log(self) -> list[LogLine]:
        """What it has written so far."""
        return [] if self._log is None else self._log.lines()

    def rootfs(self) -> Rootfs:
        """Its files as they are now, without what is mounted in it."""
        return self._engine.mount(self.name)

    def copy_in(self, source: Path, target: str) -> None:
        """Copy a file or directory of the host into it."""
        self._engine.copy_in(self.name, source, target)


def _without(env: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Variables of the image that nothing else takes the place of."""
    return {name: value for name, value in env.items() if name not in others}


def _claim_fixed(name: str, number: int, kinds: Sequence[str]) -> Claim:
    """A port that cannot be another one; it is waited for if a service of this kind has it."""
    until = time.monotonic() + _PATIENCE
    while (taken := claim_port(number, *kinds)) is Refusal.CLAIMED and time.monotonic() < until:
        time.sleep(0.1)
    if isinstance(taken, Claim):
        return taken
    raise ServiceError(
        f"service {name}: port {number} of this machine is taken",
        hint="with buildah alone services listen on the network of this machine: let this "
        "one listen on {port}, as in cmd or env",
    )
