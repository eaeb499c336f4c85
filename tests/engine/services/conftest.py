"""Sessions whose images run, and what is left of them."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.agent.records import StorageOptions
from pytest_zlayer.buildah.agent.short_path import ShortPath
from pytest_zlayer.services.podman.probe import find_podman, probe
from tests.engine.building import Builds, building
from tests.engine.conftest import Storage, add_busybox, make_storage, shared_folder

# podman's own limits are refused in some containers, and crun wants cgroups of version 2.
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]

[engine]
runtime = "runc"
"""
_ANSWERS = "podman-answers.json"
WEB = """\
FROM localhost/test/busybox:1
RUN mkdir /www && echo hello > /www/index.html
EXPOSE 8080
CMD ["httpd", "-f", "-v", "-p", "8080", "-h", "/www"]
"""
# The same on a port that it is given.
LISTENING = """\
FROM localhost/test/busybox:1
RUN mkdir /www && echo hello > /www/index.html
EXPOSE 8080
ENV GREETING=hello
CMD ["httpd", "-f", "-v", "-p", "{port}", "-h", "/www"]
"""
# What makes a service get a port that nobody else has: with buildah alone, one whose command does
# not name its port would have 8080 of this machine, and another test may listen there.
OWN_PORT = {"env": {"PORT": "{port}"}}
# A command, and what it writes.
WRITING = (
    ("printf 4; printf no >&2", "4", "no"),
    ("printf 'a\\r\\n\\nb'", "a\r\n\nb", ""),
    ("head -c 50000 /dev/zero | tr '\\0' x; echo >&2", "x" * 50_000, "\n"),
    ("printf 'no end' >&2; exit 3", "", "no end"),
)
TOLD = 'FROM localhost/test/busybox:1\nCMD ["httpd", "-f", "-v", "-p", "{port}"]\n'


@dataclass(frozen=True)
class ServiceStorage:
    """A storage of its own, and what podman sees in it."""

    storage: Storage
    configuration: Path

    @property
    def environment(self) -> dict[str, str]:
        """For sessions, and for runs of pytest."""
        return {**self.storage.environment, "CONTAINERS_CONF": str(self.configuration)}

    def podman(self, *words: str, driver: str | None = "overlay") -> str:
        """What podman says of this storage; without ``driver`` it finds that by itself."""
        places = (str(self.storage.root), str(self.storage.runroot), "overlay")
        short = ShortPath.of(StorageOptions(*places))
        try:
            return self._podman(short.path, driver, words)
        finally:
            short.release()

    def _podman(self, runroot: str, driver: str | None, words: tuple[str, ...]) -> str:
        argv = [
            "podman", "--root", str(self.storage.root), "--runroot", runroot,
            *(["--storage-driver", driver] if driver else []), "--cgroup-manager", "cgroupfs",
            "--network-config-dir", str(self.storage.root / "zlayer" / "networks"),
            "--tmpdir", f"{runroot}/zlayer-podman",
        ]  # fmt: skip
        own = self.storage.root / "zlayer" / "containers.conf"
        file = own if own.exists() else self.configuration
        env = {**self.environment, "CONTAINERS_CONF": str(file)}
        done = subprocess.run([*argv, *words], check=False, capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def containers(self) -> list[str]:
        """The names of all containers of podman."""
        return [one["Names"][0] for one in json.loads(self.podman("ps", "-a", "--format", "json"))]

    def _volumes(self) -> list[str]:
        volumes = self.storage.root / "volumes"
        return [one.name for one in volumes.iterdir() if one.is_dir()] if volumes.exists() else []

    def leftovers(self) -> dict[str, Any]:
        """Everything that services could have left."""
        networks = self.storage.root / "zlayer" / "networks"
        return {
            **self.storage.leftovers(),
            "podman": self.containers(),
            "volumes": self._volumes(),
            "networks": [one.name for one in networks.glob("*.json")],
        }


def make_service_storage(directory: Path) -> ServiceStorage:
    """An empty storage with busybox in it, and with what works of podman where it is used."""
    made = _with_busybox(directory)
    if podman_works():
        (made.storage.root / "zlayer" / _ANSWERS).write_bytes(_found_out())
    return made


def _with_busybox(directory: Path) -> ServiceStorage:
    storage = make_storage(directory / "storage")
    add_busybox(storage, directory / "busybox")
    for place in (storage.root / "zlayer", storage.runroot):  # podman may be the first to use it
        place.mkdir(exist_ok=True)
    return ServiceStorage(storage, _configuration())


@functools.cache
def _configuration() -> Path:
    """A file that all storages have: what works of podman holds for one configuration."""
    file = shared_folder("configuration") / "containers.conf"
    file.write_text(CONFIGURATION)
    return file


@functools.cache
def _found_out() -> bytes:
    """What a session notes down of what works of podman."""
    with tempfile.TemporaryDirectory(prefix="podman-") as folder:
        made = _with_busybox(Path(folder))
        with closing(made.storage.open(environment=session_environment(made))) as engine:
            podman = find_podman(engine)
            assert podman is not None
            assert probe(podman).why_not == ""
            podman.runroot.release()
        answers = (made.storage.root / "zlayer" / _ANSWERS).read_bytes()
        made.storage.remove()
    return answers


@pytest.fixture(scope="session")
def shared_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceStorage]:
    """One that all tests of services share."""
    made = make_service_storage(tmp_path_factory.mktemp("services"))
    yield made
    made.storage.remove()


@pytest.fixture
def service_storage(tmp_path: Path) -> Iterator[ServiceStorage]:
    """One for a test that counts what is left."""
    made = make_service_storage(tmp_path)
    yield made
    made.storage.remove()


@pytest.fixture(scope="session")
def builds(shared_storage: ServiceStorage) -> Iterator[Builds]:
    """A session of building on the shared storage."""
    with building(shared_storage.storage, environment=session_environment(shared_storage)) as made:
        yield made


def session_environment(storage: ServiceStorage) -> dict[str, str]:
    """What a session on a storage may read."""
    cache = str(storage.storage.root.parent / "user-cache")
    return {**storage.environment, "XDG_CACHE_HOME": cache}


def podman_works() -> bool:
    """Whether there is a podman, run by root: what most of these tests are about."""
    return shutil.which("podman") is not None and os.geteuid() == 0


needs_podman = pytest.mark.skipif(not podman_works(), reason="needs podman, and root")
