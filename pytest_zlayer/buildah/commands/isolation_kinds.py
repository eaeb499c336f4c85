"""A way to isolate RUN, with its options on buildah's command line."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Isolation:
    """How RUN is isolated.

    Attributes:
        kind: ``oci``, ``rootless`` or ``chroot``.
        runtime: path of the OCI runtime for the first two, else ``None``. A bare name buildah
            would look up in its own configuration instead of PATH.
        contained: chroot only: whether a RUN gets its own process and mount namespaces.
    """

    kind: str
    runtime: str | None = None
    contained: bool = False

    def __str__(self) -> str:
        return f"{self.kind} with {os.path.basename(self.runtime)}" if self.runtime else self.kind


def contain(*, network: bool = True) -> list[str]:
    """The command in front of a chroot RUN that gives it process and mount namespaces.

    Without it a RUN can signal the processes of the host, and what it starts outlives it.
    """
    line = ["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
    return line if network else [*line, "--net"]


def runtime_root(tmpdir: Path, isolation: Isolation) -> Path | None:
    """Where the OCI runtime keeps its state, so that nothing of it stays in /run."""
    if isolation.runtime is None:
        return None
    return tmpdir / "runtime" / os.path.basename(isolation.runtime)
