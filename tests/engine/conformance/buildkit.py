"""The reference itself: BuildKit, in the daemon that ``scripts/buildkit-conformance`` runs."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

from filelock import FileLock
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from .case import Case
from .workbench import Workbench, build_options

# Seconds; a daemon that panicked is started again at once.
_PATIENCE = 30


class BuildKitFailed(Exception):
    """BuildKit did not build the case; its message."""


class BuildKit:
    """Builds cases in a Docker daemon and brings the images into the storage of a workbench."""

    def __init__(self, workbench: Workbench, socket: str, directory: Path) -> None:
        self._storage = workbench.storage
        self._environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}"}
        # Docker fails where two load an image of the same name at once.
        with FileLock(f"{socket}.lock"):
            for name in ("bb", "bare", "onbuild"):
                self._add_base(name, directory / f"{name}.tar")

    def _add_base(self, name: str, archive: Path) -> None:
        target = f"docker-archive:{archive}:localhost/{name}:latest"
        self._storage.buildah("push", "--quiet", f"localhost/{name}", target)
        self._docker("load", "--quiet", "--input", str(archive))
        self._docker("tag", f"localhost/{name}", name)

    def build(self, case: Case, place: Path) -> str:
        """Id of the image in the workbench's storage.

        Raises:
            BuildKitFailed: it could not be built.
        """
        archive = place / "buildkit.tar"
        context = self._under_a_new_name(place / "context")
        file = context / case.place if case.place else place / "Dockerfile"
        words = ["--network=host", "--progress=plain", "--provenance=false", f"--file={file}"]
        words += [f"--output=type=docker,dest={archive}"]
        words += build_options(case, place)
        self._docker("buildx", "build", *words, str(context))
        identifier = self._storage.buildah("pull", "--quiet", f"docker-archive:{archive}")
        archive.unlink()
        return identifier.strip()

    def _under_a_new_name(self, context: Path) -> Path:
        """BuildKit tells contexts apart by their last name, and files by size and time."""
        link = context.with_name(f"context-{secrets.token_hex(4)}")
        link.symlink_to(context, target_is_directory=True)
        return link

    def _docker(self, *words: str) -> None:
        attempts = Retrying(
            stop=stop_after_delay(_PATIENCE),
            wait=wait_fixed(0.2),
            retry=retry_if_exception(_is_away),
            reraise=True,
        )
        attempts(self._docker_once, *words)

    def _docker_once(self, *words: str) -> None:
        done = subprocess.run(
            ["docker", *words],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env=self._environment,
            timeout=120,
        )
        if done.returncode != 0:
            raise BuildKitFailed(done.stderr)


def _is_away(error: BaseException) -> bool:
    return "Cannot connect to the Docker daemon" in str(error)
