"""Containers that podman runs as services."""

from __future__ import annotations

import io
import json
import math
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_zlayer.buildah.files.rootfs import Rootfs
from pytest_zlayer.builder.image.container import timeout_of
from pytest_zlayer.builder.image.image_like import ImageLike
from pytest_zlayer.builder.image.kept import KEPT_CONTAINER, stem
from pytest_zlayer.builder.image.log import LogLine
from pytest_zlayer.builder.image.results import RunResult
from pytest_zlayer.services.engine import ExecRequest
from pytest_zlayer.services.errors import ServiceError
from pytest_zlayer.services.log import log_line, parse_log, unfinished
from pytest_zlayer.services.networks import Network
from pytest_zlayer.services.podman.commands import Podman, reason_of, says_not_known
from pytest_zlayer.services.podman.networks import PodmanNetworks
from pytest_zlayer.services.podman.options import option_words
from pytest_zlayer.services.ports import LOOPBACK, Claim, claim_free_port
from pytest_zlayer.services.processes import Process
from pytest_zlayer.services.request import Port, ServeRequest

if TYPE_CHECKING:
    from pytest_zlayer.buildah.process.command import Completed

# Bytes of a log; conmon begins it anew beyond that.
_LOG_SIZE = 10 * 1024**2
# Seconds in which the monitor of a container that has ended writes down how.
_ENDING = 10.0


class PodmanContainer:
    """One container that podman runs.

    Args:
        podman: runs it.
        name: what podman calls it.
        request: what is to run in it.
        networks: the networks of this process.
        on_keep: called when it is to stay after the session.
    """

    def __init__(
        self,
        podman: Podman,
        name: str,
        request: ServeRequest,
        networks: PodmanNetworks,
        *,
        on_keep: Callable[[], None],
    ) -> None:
        self.name = name
        self.ports: Mapping[Port, int] = MappingProxyType({})
        self._podman = podman
        self._request = request
        self._networks = networks
        self._on_keep = on_keep
        self._claims: list[Claim] = []
        self._process: Process | None = None
        self._ended: int | None = None
        self._log: Path | None = None
        self._hosts: Path | None = None
        self._created = False
        self._joined = False

    def create(self, image: ImageLike) -> None:
        """Create and start it."""
        request = self._request
        if isinstance(request.network, Network):
            request.network.join(request.name, self._tell_hosts)
            self._joined = True
        words, env = self._options(image)
        self._created = True
        if request.copy_in:
            self._podman.output("create", *words, env=env)
            for source, target in request.copy_in:
                self.copy_in(source, target)
            self._podman.output("start", self.name, lasting=True)
        else:
            self._podman.output("run", "--detach", *words, env=env, lasting=True)
        self._look()
        if isinstance(request.network, Network):
            request.network.announce(request.name)

    def _options(self, image: ImageLike) -> tuple[list[str], dict[str, str]]:
        request = self._request
        words = [
            "--name", self.name, "--pull", "never", "--no-healthcheck", "--http-proxy=false",
            "--log-driver", "k8s-file", "--log-opt", f"max-size={_LOG_SIZE}",
            "--label", f"pytest-zlayer.service={request.name}",
            *self._network_options(), *self._port_options(), *option_words(request),
        ]  # fmt: skip
        port = self._port_inside()
        env: dict[str, str] = {}
        for name, value in request.env.items():
            words += self._variable(name, request.with_port(value, port), env)
        argv = [request.with_port(word, port) for word in request.argv]
        words += ["--entrypoint", json.dumps(argv[:1]), image.native_id, *argv[1:]]
        return words, env

    def _variable(self, name: str, value: str, env: dict[str, str]) -> list[str]:
        """The option for a variable; values travel in podman's environment where they can.

        A command line can be read by every user of the machine.
        """
        if name in self._podman.environment():
            return ["--env", f"{name}={value}"]
        env[name] = value
        return ["--env", name]

    def _network_options(self) -> list[str]:
        network = self._request.network
        if isinstance(network, str):
            return ["--network", network]
        if network is None:
            return self._networks.default_options(self.name)
        words = self._networks.options(network, self._request.name)
        known = [
            f"--add-host={name}:{address}"
            for name, address in network.names().items()
            if name != self._request.name
        ]
        return [*words, *known, *([] if self._request.hostname else self._hostname())]

    def _hostname(self) -> list[str]:
        return ["--hostname", self._request.name]

    def _port_options(self) -> list[str]:
        request = self._request
        self.ports = MappingProxyType(dict(self._published()))
        if request.network == "host":
            return []
        return [f"--publish={LOOPBACK}:{host}:{port}" for port, host in self.ports.items()]

    def _published(self) -> Iterator[tuple[Port, int]]:
        """Each port with the one of the host that leads to it.

        On the network of the host it is the same, unless the command takes a free one as
        ``{port}``.
        """
        request = self._request
        for number, same in request.published.items():
            is_given = request.mentions_port() and request.port in same
            if request.network == "host" and not is_given:
                yield from ((one, number) for one in same)
                continue
            self._claims.append(claim_free_port(*(one.kind for one in same)))
            yield from ((one, int(self._claims[-1].value)) for one in same)

    def _port_inside(self) -> int | None:
        """What ``{port}`` stands for."""
        main = self._request.port
        if main is not None and self._request.network == "host":
            return self.ports[main]
        return main.number if main is not None else None

    def _look(self) -> None:
        """Find its process, its log and its list of names."""
        found = self._podman.inspect(self.name)
        self._log = Path(found["HostConfig"]["LogConfig"]["Path"])
        self._hosts = Path(found["HostsPath"]) if found.get("HostsPath") else None
        pid = int(found["State"]["Pid"])
        self._process = Process.of(pid) if pid else None
        self._ended = None

    def _tell_hosts(self) -> None:
        """Write the names of its network into its list of names, which it sees at once."""
        network = self._request.network
        if self._hosts is None or not isinstance(network, Network):
            return
        with suppress(OSError), self._hosts.open("r+", encoding="utf-8") as file:
            known = {word for line in file for word in line.split()[1:]}
            for name, address in network.names().items():
                if name not in known:
                    file.write(f"{address}\t{name}\n")

    @property
    def label(self) -> str:
        """Its name in messages."""
        return self._request.name

    @property
    def pid(self) -> int | None:
        """Its first process on this machine, ``None`` when it does not run."""
        alive = self._process is not None and self._process.alive
        return self._process.pid if self._process is not None and alive else None

    def exit_code(self) -> int | None:
        """How it ended; ``None`` while it runs."""
        if self.pid is not None:
            return None
        until = time.monotonic() + _ENDING
        while self._ended is None:
            state = self._podman.inspect(self.name)["State"]
            over = state["Status"] in ("exited", "stopped", "removing")
            if over or time.monotonic() >= until:
                self._ended = int(state["ExitCode"])
            else:
                time.sleep(0.05)
        return self._ended

    def wait_ended(self, seconds: float) -> bool:
        """Wait until it has ended, but no longer than this; whether it has."""
        return self._process is None or self._process.wait_ended(seconds)

    def start(self) -> None:
        """Start it again after it has ended."""
        self.exit_code()
        self._end_lines()
        self._podman.output("start", self.name, lasting=True)
        self._look()
        self._tell_hosts()

    def _end_lines(self) -> None:
        """What it writes next begins on a line of its own: conmon would go on in the last one."""
        if self._log is None:
            return
        with suppress(OSError), self._log.open("r+", encoding="utf-8", errors="replace") as file:
            file.writelines(log_line(stream, "F", "") for stream in unfinished(file))

    def stop(self, timeout: float) -> None:
        """Ask it to end, and kill it after ``timeout`` seconds."""
        seconds = str(math.ceil(timeout))
        self._podman.output("stop", "--time", seconds, self.name, timeout=timeout + 60)
        self.exit_code()

    def kill(self, number: int) -> None:
        """Send a signal to its first process."""
        self._podman.output("kill", "--signal", str(number), self.name)

    def remove(self) -> None:
        """End it and remove everything of it."""
        try:
            if self._created:
                self._remove()
        finally:
            self._give_back()

    def _remove(self) -> None:
        words = ["rm", "--force", "--time", "0", "--volumes", self.name]
        for last in (False, True):
            done = self._podman.call(*words, brief=True)
            if done.exit_code == 0:
                return
            error = self._podman.failed(done, words)
            if says_not_known(error):
                return
            # The first try finds out that a container's monitor was killed.
            if last:
                raise error

    def _give_back(self) -> None:
        network = self._request.network
        if isinstance(network, Network) and self._joined:
            network.leave(self._request.name)
            self._joined = False
        self._networks.forget(self.name)
        for claim in self._claims:
            claim.release()
        self._claims = []

    def keep(self, label: str) -> tuple[str, str]:
        """End it and keep it under a name that outlives the session."""
        try:
            if self.pid is not None:
                self.stop(2)
            self._networks.disconnect(self._podman.inspect(self.name))
            name = f"{KEPT_CONTAINER}{stem(label)}-{self.name.rpartition('-')[2]}"
            self._podman.output("rename", self.name, name)
            self._on_keep()
        finally:
            self._give_back()
        podman = shlex.join(["env", *_shown(self._podman.env), *self._podman.argv])
        enter = f'p run --rm -it --rootfs "$(p mount {name})" /bin/sh'
        return name, f'p() {{ {podman} "$@"; }}; p logs {name}; {enter}'

    def run(self, request: ExecRequest) -> RunResult:
        """Run a command inside."""
        words: list[str] = ["exec"]
        env: dict[str, str] = {}
        for name, value in request.env.items():
            words += self._variable(name, value, env)
        words += ["--interactive"] if request.stdin is not None else []
        words += ["--user", request.user] if request.user is not None else []
        words += ["--workdir", request.workdir] if request.workdir is not None else []
        stdout, stderr = io.BytesIO(), io.BytesIO()
        done = self._podman.call(
            *words, self.name, *request.argv, env=env, timeout=request.timeout,
            stdin=request.stdin, stdout=stdout, stderr=stderr,
        )  # fmt: skip
        if done.timed_out:
            raise timeout_of(self._request.name, request.argv, done)
        said = stderr.getvalue().decode("utf-8", "replace")
        if _is_refusal(done, said, running=self.pid is not None):
            raise ServiceError(f"no command runs in {self._request.name}: {reason_of(done)}")
        return RunResult(
            done.exit_code,
            stdout.getvalue().decode("utf-8", "replace"),
            said,
            done.seconds,
            tuple(request.argv),
        )

    def log(self) -> list[LogLine]:
        """What it has written so far."""
        if self._log is None:
            return []
        try:
            with self._log.open(encoding="utf-8", errors="replace", newline="\n") as file:
                return list(parse_log(file))
        except FileNotFoundError:
            return []

    def rootfs(self) -> Rootfs:
        """Its files as they are now; with what is mounted in it as long as it runs."""
        pid = self.pid
        root = f"/proc/{pid}/root" if pid else self._mounted()
        return self._podman.engine.rootfs_at(Path(root))

    def _mounted(self) -> str:
        return self._podman.output("mount", self.name).strip()

    def copy_in(self, source: Path, target: str) -> None:
        """Copy a file or directory of the host into it."""
        self._podman.output("cp", str(source), f"{self.name}:{target}")


def _is_refusal(done: Completed, said: str, *, running: bool) -> bool:
    """Whether podman ran no command at all."""
    own = said.startswith(("Error: ", "time="))
    return (done.exit_code == 125 and own) or (done.exit_code == 255 and not running)


def _shown(env: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{name}={value}" for name, value in env.items())
