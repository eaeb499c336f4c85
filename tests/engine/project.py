"""A project whose runs of pytest use a real buildah on a storage of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.engine.conftest import Storage
from tests.outer import outer_environment


class Project:
    """A project whose runs of pytest use a real buildah on a storage of their own."""

    def __init__(self, folder: Path, storage: Storage, **environment: str) -> None:
        self.folder = folder
        self.storage = storage
        self.environment: Mapping[str, str] = {
            **outer_environment(),
            "TMPDIR": str(storage.tmpdir),
            "XDG_CACHE_HOME": str(folder.parent / "user-cache"),
            "ZLAYER_BUILDAH": storage.binary,
            "ZLAYER_ROOT": str(storage.root),
            "ZLAYER_RUNROOT": str(storage.runroot),
            "ZLAYER_RETRY_DELAY": "0.01",
            "ZLAYER_CACHE": "session",
            **environment,
        }

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Start a module of Python in the project's folder."""
        return subprocess.Popen(
            [sys.executable, "-m", *argv],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *argv: str, code: int = 0) -> str:
        """Run a module of Python; what it wrote."""
        with self.popen(*argv) as process:
            output, _ = process.communicate(timeout=300)
        assert process.returncode == code, output
        return output

    def pytest(self, *args: str, code: int = 0) -> str:
        """Run pytest; what it wrote."""
        return self.run("pytest", *args, code=code)
