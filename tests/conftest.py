"""A storage of its own for tests that run a real buildah; time limits that tests let pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.waiting import PATIENCE

# How long an example takes tells more of the machine and of what else it does than of the code.
settings.register_profile(
    "any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@dataclass(frozen=True, slots=True)
class PrivateStorage:
    """A storage below a temporary directory; the user's own is never touched."""

    root: Path
    runroot: Path

    @property
    def arguments(self) -> tuple[str, ...]:
        """For buildah itself."""
        return ("--root", str(self.root), "--runroot", str(self.runroot))

    @property
    def options(self) -> tuple[str, ...]:
        """For pytest."""
        return (f"--zlayer-root={self.root}", f"--zlayer-runroot={self.runroot}")

    def buildah(self, *arguments: str) -> str:
        """What buildah prints for a command on this storage."""
        argv = ("buildah", *self.arguments, *arguments)
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        return done.stdout

    def containers(self) -> list[str]:
        """Names of the working containers, broken ones included."""
        found: list[dict[str, Any]] = json.loads(
            self.buildah("containers", "--all", "--json") or "null"
        )
        return [one["containername"] for one in found or []]

    def images(self) -> list[str]:
        """Names of the images; an id where there is no name."""
        found: list[dict[str, Any]] = json.loads(
            self.buildah("images", "--all", "--json") or "null"
        )
        return [name for one in found or [] for name in one.get("names") or [one["id"]]]

    def mounts(self) -> list[str]:
        """Mount points below it, the innermost first."""
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        return sorted(
            (one for one in mounted if Path(self.root) in Path(one).parents), reverse=True
        )


@pytest.fixture
def private_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStorage]:
    """An empty storage; it is unmounted and removed after the test."""
    top = tmp_path_factory.mktemp("storage")
    storage = PrivateStorage(top / "root", top / "run")
    yield storage
    for mount in storage.mounts():
        subprocess.run(("umount", "--lazy", mount), check=True)
    if os.geteuid() == 0:
        shutil.rmtree(top)
    else:  # files belong to subordinate user ids
        subprocess.run(("buildah", "unshare", "rm", "-rf", str(top)), check=True)


@pytest.fixture
def time_is_over(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Listens to a command with a time limit: with the first line that it hears this has passed.

    How long a machine takes until the command writes that does not matter then.
    """
    passed = threading.local()  # for the command whose output this thread reads

    def monotonic() -> float:
        return time.monotonic() + passed.__dict__.pop("seconds", 0.0)

    def listen(*_: object) -> None:
        passed.seconds = 1000.0

    command = "pytest_zlayer.buildah.process.running_command"
    monkeypatch.setattr(f"{command}.time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(f"{command}._ENDING", PATIENCE)
    return listen
